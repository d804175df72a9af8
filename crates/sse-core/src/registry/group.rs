//! A group of streams.

use std::{slice, sync::Arc};

/// The property that the streams of a group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupKind {
    User,
    Topic,
    Address,
    /// The address of an anonymous stream.
    Anonymous,
}

/// Streams that share a property, at least one.
///
/// Most groups are users with one stream, so a group is small: 32 bytes, and no allocation for one
/// member.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: GroupKind,
    /// The only member, if `members` is `None`.
    only: u32,
    pub(crate) name: Arc<str>,
    #[expect(
        clippy::box_collection,
        reason = "one word in each group, for members that most groups do not have"
    )]
    members: Option<Box<Vec<u32>>>,
}

impl Group {
    pub(crate) fn new(kind: GroupKind, name: Arc<str>, member: u32) -> Self {
        Self {
            kind,
            only: member,
            name,
            members: None,
        }
    }

    /// Returns the members' indexes in the table of streams, in no particular order.
    pub(crate) fn members(&self) -> &[u32] {
        match &self.members {
            Some(members) => members,
            None => slice::from_ref(&self.only),
        }
    }

    pub(crate) fn push(&mut self, member: u32) {
        self.members
            .get_or_insert_with(|| Box::new(vec![self.only]))
            .push(member);
    }

    /// Removes the member at a position, which the last member takes. Returns `false` if it is the
    /// only member: the group must then be dropped.
    pub(crate) fn remove(&mut self, position: usize) -> bool {
        let Some(members) = &mut self.members else {
            return false;
        };
        members.swap_remove(position);
        if let [only] = ***members {
            (self.only, self.members) = (only, None);
        } else if members.len() * 4 < members.capacity() {
            members.shrink_to_fit();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_takes_half_a_cache_line() {
        assert_eq!(size_of::<Option<Group>>(), 32);
    }

    #[test]
    fn last_member_takes_position_of_removed_member() {
        let mut group = Group::new(GroupKind::User, "ada".into(), 7);
        group.push(8);
        group.push(9);
        assert_eq!(group.members(), [7, 8, 9]);
        assert!(group.remove(0));
        assert_eq!(group.members(), [9, 8]);
        assert!(group.remove(1));
        assert_eq!(group.members(), [9]);
        assert!(!group.remove(0), "the only member leaves with its group");
    }
}
