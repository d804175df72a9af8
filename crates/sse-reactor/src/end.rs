//! The ways in which a thread ends before its streams do.

use socket2::SockRef;

use crate::{adoption::Adoption, socket};

/// The way in which a thread ends before its streams do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadEnd {
    /// Connections are closed, without a clean end of their streams.
    Close,
    /// Connections are broken off, so that the system keeps none of their data.
    Reset,
}

/// Ends a stream that the thread has not served yet.
pub(crate) fn dismiss(adoption: Adoption, end: ThreadEnd) {
    if end == ThreadEnd::Reset {
        socket::reset_when_dropped(&SockRef::from(&adoption.socket));
    }
    drop(adoption);
}
