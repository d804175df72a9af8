//! What a client is told.

use std::fmt;

/// Why a caller is refused, as much of it as a client may learn.
///
/// What was wrong with a token (its signature, its key, a claim) stays in
/// [`AuthError`](crate::AuthError), for the log: told to a client it would be an oracle for whoever
/// forges tokens. That a token has ended is told only of one that was authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// No credentials were presented.
    Missing,
    /// The credentials are not accepted.
    Invalid,
    /// The credentials were good, and have ended.
    Expired,
    /// Credentials cannot be checked now: keys or sessions cannot be loaded. Says nothing about the
    /// credentials.
    Unavailable,
}

impl Rejection {
    /// The HTTP status: 401, or 503 for [`Unavailable`](Self::Unavailable).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::Missing | Self::Invalid | Self::Expired => 401,
        }
    }

    /// A word for programs: `missing`, `invalid`, `expired`, `unavailable`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Unavailable => "unavailable",
        }
    }

    /// The value of the header `WWW-Authenticate` (RFC 6750, section 3); `None` where the status is
    /// not 401.
    #[must_use]
    pub fn www_authenticate(self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("Bearer"),
            Self::Invalid => Some(r#"Bearer error="invalid_token""#),
            Self::Expired => {
                Some(r#"Bearer error="invalid_token", error_description="the token has expired""#)
            }
            Self::Unavailable => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no credentials",
            Self::Invalid => "the credentials are not accepted",
            Self::Expired => "the credentials have expired",
            Self::Unavailable => "credentials cannot be checked now",
        })
    }
}
