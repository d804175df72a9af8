//! The reason why a stream ended.

use std::fmt;

/// The reason why a stream ended.
///
/// ```
/// use sse_core::DisconnectReason;
///
/// assert_eq!(DisconnectReason::MaxAge.as_str(), "max_age");
/// assert_eq!(DisconnectReason::ALL[DisconnectReason::MaxAge.index()], DisconnectReason::MaxAge);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client disconnected or its connection was lost: the [`Session`](crate::Session) was
    /// dropped.
    ClientLeft,
    /// The transport accepted no data for `connection_timeout`.
    Stalled,
    /// The queue of the stream was full, and its [`Overflow`](crate::config::Overflow) policy is to
    /// disconnect.
    Overflow,
    /// A newer stream replaced this one under a connection limit.
    Replaced,
    /// The authentication of the stream has expired.
    Expired,
    /// The server is shutting down.
    Shutdown,
    /// [`Manager::disconnect`](crate::Manager::disconnect) requested the end.
    Kicked,
    /// The stream reached `max_age`.
    MaxAge,
}

impl DisconnectReason {
    /// All reasons, in the order of [`DisconnectReason::index`].
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

    /// Returns the name of the reason on the wire, in logs and in metrics.
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

    /// Returns the index of the reason in [`DisconnectReason::ALL`].
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
