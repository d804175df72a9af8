//! The key of a connection in its thread.

/// An index in a [`Slab`](crate::slab::Slab), and the serial number of the connection there.
///
/// Indices are reused. Serial numbers are reused only after 2³² connections, so a late key finds no
/// connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlabKey {
    pub(crate) place: u32,
    pub(crate) serial: u32,
}
