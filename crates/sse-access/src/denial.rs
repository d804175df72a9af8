//! Reasons for which callers are rejected.

use std::fmt;

use sse_auth::{AuthError, AuthRejection, CrossSite};
use sse_core::{
    ConnectErrorKind,
    id::FieldError,
    throttle::{INTERVAL, Throttle},
};
use tracing::{debug, info, warn};

/// The reason for which a caller is rejected, for the operator. The client receives the
/// [`cause`](Self::cause) alone, which does not help a forger.
///
/// A denial contains no secrets.
///
/// ```
/// use sse_access::Denial;
/// use sse_core::ConnectErrorKind;
///
/// assert_eq!(Denial::Missing.cause(), ConnectErrorKind::Unauthenticated);
/// assert_eq!(Denial::Missing.code(), "missing");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Denial {
    /// The request presents no credentials.
    Missing,
    /// No credential is accepted, or the credentials are of different users.
    Credentials(AuthError),
    /// A page of another site made the request with its visitor's cookie.
    Page(CrossSite),
    /// The user's id is not valid as the id of a stream's user.
    User(FieldError),
}

impl Denial {
    /// Returns the cause with which a stream or a call is rejected.
    #[must_use]
    pub fn cause(&self) -> ConnectErrorKind {
        match self {
            Self::Credentials(error) if error.rejection() == AuthRejection::Unavailable => {
                ConnectErrorKind::Unavailable
            }
            Self::Page(page) => ConnectErrorKind::CrossSite(page.page()),
            Self::Missing | Self::Credentials(_) | Self::User(_) => {
                ConnectErrorKind::Unauthenticated
            }
        }
    }

    /// Returns a word for the reason, used to limit how often the reason is logged.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Credentials(error) => error.code(),
            Self::Page(page) => page.code(),
            Self::User(_) => "user",
        }
    }

    /// Logs the denial. The first denial of each kind in ten seconds is logged at `info`, or at
    /// `warn` if the server is to blame; the others are logged at `debug`.
    pub(crate) fn log(&self) {
        static THROTTLE: Throttle = Throttle::new(INTERVAL);
        let error = self as &dyn std::error::Error;
        match THROTTLE.admit(self.code()) {
            Some(left_out) if self.cause() == ConnectErrorKind::Unavailable => {
                warn!(
                    error,
                    left_out, "rejected a caller whose credentials cannot be checked"
                );
            }
            Some(left_out) => info!(error, left_out, "rejected a caller"),
            None => debug!(error, "rejected a caller"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no credentials are presented"),
            Self::Credentials(error) => error.fmt(f),
            Self::Page(page) => page.fmt(f),
            Self::User(error) => write!(f, "the user id is not valid for a stream: {error}"),
        }
    }
}

impl std::error::Error for Denial {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}
