//! Membership in a group.

/// A stream's position in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupMembership {
    pub(crate) group: u32,
    pub(crate) position: u32,
}
