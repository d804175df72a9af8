//! What a connection is called in its thread.

/// A place in a [`Slab`](crate::slab::Slab), and who is meant there.
///
/// Places are used again, serial numbers are not until 2³² connections later: who comes late finds
/// nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) place: u32,
    pub(crate) serial: u32,
}
