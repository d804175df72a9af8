//! The part of a rejection that a client receives.

use std::fmt;

/// The reason for which a caller is refused, as far as a client may learn it.
///
/// The problem of a token (its signature, its key, a claim) stays in
/// [`AuthError`](crate::AuthError), for the log: a client that received the problem could use the
/// server as an oracle for forging tokens. The client learns that a token has expired only if the
/// token was authentic.
///
/// ```
/// use sse_auth::AuthRejection;
///
/// assert_eq!((AuthRejection::Expired.status(), AuthRejection::Expired.code()), (401, "expired"));
/// assert_eq!(AuthRejection::Unavailable.status(), 503);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthRejection {
    /// No credentials were presented.
    Missing,
    /// The credentials are not accepted.
    Invalid,
    /// The credentials were valid, and have expired.
    Expired,
    /// Credentials cannot be checked now, because keys or sessions cannot be loaded. This variant
    /// says nothing about the credentials.
    Unavailable,
}

impl AuthRejection {
    /// Returns the HTTP status: 401, or 503 for [`Unavailable`](Self::Unavailable).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::Missing | Self::Invalid | Self::Expired => 401,
        }
    }

    /// Returns a word for programs: `missing`, `invalid`, `expired`, `unavailable`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Unavailable => "unavailable",
        }
    }

    /// Returns the value of the header `WWW-Authenticate` (RFC 6750, section 3); `None` if the
    /// status is not 401.
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

impl fmt::Display for AuthRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no credentials",
            Self::Invalid => "the credentials are not accepted",
            Self::Expired => "the credentials have expired",
            Self::Unavailable => "credentials cannot be checked now",
        })
    }
}
