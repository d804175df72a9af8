//! Why a stream ended.

use std::fmt;

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client or its connection went away: the [`Session`](crate::Session) was dropped.
    ClientLeft,
    /// The transport took nothing for `connection_timeout`.
    Stalled,
    /// Its queue was full, and its [`Overflow`](crate::Overflow) is to disconnect.
    Overflow,
    /// A newer stream took its place under a connection limit.
    Replaced,
    /// What it was authenticated with has expired.
    Expired,
    /// The server shuts down.
    Shutdown,
    /// [`Manager::disconnect`](crate::Manager::disconnect) asked for it.
    Kicked,
    /// It reached `max_age`.
    MaxAge,
}

impl DisconnectReason {
    /// Every reason, in the order of [`DisconnectReason::index`].
    pub const ALL: [Self; 8] = [
        Self::ClientLeft,
        Self::Stalled,
        Self::Overflow,
        Self::Replaced,
        Self::Expired,
        Self::Shutdown,
        Self::Kicked,
        Self::MaxAge,
    ];

    /// The word for it on the wire, in logs and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::Stalled => "stalled",
            Self::Overflow => "overflow",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
            Self::Kicked => "kicked",
            Self::MaxAge => "max_age",
        }
    }

    /// Its place in [`DisconnectReason::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
