//! Why a caller is refused.

use std::fmt;

use sse_auth::{AuthError, CrossSite, Rejection};
use sse_core::{
    ConnectErrorKind, FieldError,
    throttle::{INTERVAL, Throttle},
};
use tracing::{debug, info, warn};

/// Why a caller is refused: for the operator. The client gets the [`cause`](Self::cause) alone,
/// which helps no forger.
///
/// Nothing of it holds a secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Denial {
    /// The request presents no credentials.
    Missing,
    /// None of the credentials is accepted, or they are of different users.
    Credentials(AuthError),
    /// A page of another site makes a request with its visitor's cookie.
    Page(CrossSite),
    /// The user's id cannot be the id of a stream's user.
    User(FieldError),
}

impl Denial {
    /// The cause that a stream or a call is refused with.
    #[must_use]
    pub fn cause(&self) -> ConnectErrorKind {
        match self {
            Self::Credentials(error) if error.refusal() == Rejection::Unavailable => {
                ConnectErrorKind::Unavailable
            }
            Self::Page(page) => ConnectErrorKind::CrossSite(page.page()),
            Self::Missing | Self::Credentials(_) | Self::User(_) => {
                ConnectErrorKind::Unauthenticated
            }
        }
    }

    /// A word for the reason, for limits on how often it is logged.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Credentials(error) => error.code(),
            Self::Page(page) => page.code(),
            Self::User(_) => "user",
        }
    }

    /// Logs it: the first of each kind in ten seconds at `info`, or at `warn` where the server is
    /// to blame, the others at `debug`.
    pub(crate) fn log(&self) {
        static THROTTLE: Throttle = Throttle::new(INTERVAL);
        let error = self as &dyn std::error::Error;
        match THROTTLE.admit(self.code()) {
            Some(left_out) if self.cause() == ConnectErrorKind::Unavailable => {
                warn!(
                    error,
                    left_out, "refused a caller whose credentials cannot be checked"
                );
            }
            Some(left_out) => info!(error, left_out, "refused a caller"),
            None => debug!(error, "refused a caller"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no credentials are presented"),
            Self::Credentials(error) => error.fmt(f),
            Self::Page(page) => page.fmt(f),
            Self::User(error) => write!(f, "the user's id cannot be that of a stream: {error}"),
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
