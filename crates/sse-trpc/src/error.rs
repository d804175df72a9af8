//! Errors of calls.

use std::{error::Error as _, fmt, time::Duration};

use sse_core::{
    ConnectErrorKind, PublishError,
    backplane::BackplaneError,
    config::KeyBound,
    event::EventError,
    throttle::{INTERVAL, Throttle},
};
use tracing::warn;

use crate::error_code::Code;

/// Limit on how often failures are logged that every client can cause.
static FAILURES: Throttle = Throttle::new(INTERVAL);

/// The error of a failed call, as the client receives it.
///
/// ```
/// use sse_trpc::{Code, Error};
///
/// let error = Error::new(Code::NotFound, "no such room");
/// assert_eq!((error.code(), error.message()), (Code::NotFound, "no such room"));
/// assert_eq!(Error::field("name", "name is empty").code(), Code::BadRequest);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
    allow: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Error {
    /// Creates an error with a message for the client.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            allow: None,
            retry_after: None,
        }
    }

    /// Creates an error for an invalid field of the input.
    #[must_use]
    pub fn field(field: &str, problem: impl fmt::Display) -> Self {
        Self::new(Code::BadRequest, format!("{field}: {problem}"))
    }

    /// Sets the delay before another attempt. The response to a single call has the delay as
    /// `retry-after`, rounded up to whole seconds. The response to a batch that is not streamed has
    /// the longest delay of its calls, if all of them failed with the same status. A subscription
    /// has the delay as `retry:`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Returns the kind of error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the message for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Sets the methods that are allowed, which the response carries as `allow`.
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    pub(crate) fn allowed(&self) -> Option<&'static str> {
        self.allow
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns `true` if the same call can succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.code, Code::TooManyRequests | Code::ServiceUnavailable)
    }
}

/// The details of a backplane error are for the operator, who finds them in the log of the process.
/// Clients learn only that the publish failed.
impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        let message = error.to_string();
        match error {
            PublishError::Target { .. }
            | PublishError::EventType(_)
            | PublishError::Reserved { .. }
            | PublishError::Empty
            | PublishError::Event(EventError::Field { .. } | EventError::Utf8(_)) => {
                Self::new(Code::BadRequest, message)
            }
            PublishError::Id => Self::field("id", message),
            PublishError::Key(problem) => Self::field("key", problem),
            PublishError::TooLarge { .. } => Self::new(Code::PayloadTooLarge, message),
            PublishError::Backplane(BackplaneError::TooLarge { size, limit }) => Self::new(
                Code::PayloadTooLarge,
                format!("the event has {size} bytes in the event log, which takes {limit}"),
            ),
            PublishError::KeysFull(full) => {
                let is_the_caller_s = full.bound == KeyBound::PerUser;
                let code = if is_the_caller_s {
                    Code::TooManyRequests
                } else {
                    Code::ServiceUnavailable
                };
                Self::new(code, message).retry_after(full.retry_after)
            }
            PublishError::Unavailable { retry_after, .. }
            | PublishError::Unconfirmed { retry_after, .. } => {
                Self::new(Code::ServiceUnavailable, message).retry_after(retry_after)
            }
            _ => {
                if let Some(left_out) = FAILURES.admit("publish") {
                    warn!(error = error.source(), left_out, "{message}");
                }
                Self::new(Code::InternalServerError, message)
            }
        }
    }
}

/// The error for a stream or a caller that is refused.
impl From<&ConnectErrorKind> for Error {
    fn from(cause: &ConnectErrorKind) -> Self {
        let code = match cause {
            ConnectErrorKind::Unauthenticated => Code::Unauthorized,
            // The client must not reconnect, so the code must not be one after which clients
            // reconnect.
            ConnectErrorKind::Forbidden(_)
            | ConnectErrorKind::CrossSite(_)
            | ConnectErrorKind::Banned => Code::Forbidden,
            ConnectErrorKind::UserLimit
            | ConnectErrorKind::AddressLimit
            | ConnectErrorKind::RateLimit => Code::TooManyRequests,
            cause if cause.is_temporary() => Code::ServiceUnavailable,
            _ => Code::BadRequest,
        };
        Self::new(code, cause.to_string())
    }
}
