//! How a thread ends before its streams do.

use socket2::SockRef;

use crate::{adoption::Adoption, socket};

/// How a thread ends before its streams do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Connections are closed, without a clean end of their streams.
    Close,
    /// Connections are broken off, so that the system keeps nothing of them.
    Reset,
}

/// Ends what was not served yet.
pub(crate) fn dismiss(adoption: Adoption, end: End) {
    if end == End::Reset {
        socket::reset_when_dropped(&SockRef::from(&adoption.socket));
    }
    drop(adoption);
}
