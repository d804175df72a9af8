//! Why a call failed.

use std::fmt;

use sse_core::{Cause, EventError, PublishError};

use crate::code::Code;

/// Why a call failed: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
    allow: Option<&'static str>,
}

impl Error {
    /// An error with a message for the client.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), allow: None }
    }

    /// Says that a field of the input is wrong.
    #[must_use]
    pub fn field(field: &str, problem: impl fmt::Display) -> Self {
        Self::new(Code::BadRequest, format!("{field}: {problem}"))
    }

    /// What kind of error it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the client is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The methods that would have been right; the answer carries them as `allow`.
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    pub(crate) fn allowed(&self) -> Option<&'static str> {
        self.allow
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        let code = match &error {
            PublishError::Target { .. }
            | PublishError::EventType(_)
            | PublishError::Reserved { .. }
            | PublishError::Empty
            | PublishError::Event(EventError::Field { .. } | EventError::Utf8(_)) => Code::BadRequest,
            PublishError::TooLarge { .. } => Code::PayloadTooLarge,
            _ => Code::InternalServerError,
        };
        Self::new(code, error.to_string())
    }
}

/// Of a stream, or a caller, that is refused.
impl From<&Cause> for Error {
    fn from(cause: &Cause) -> Self {
        let code = match cause {
            Cause::Unauthenticated => Code::Unauthorized,
            // The client is not to come back, so not a code after which it does.
            Cause::Forbidden(_) | Cause::CrossSite | Cause::StayAway => Code::Forbidden,
            Cause::UserLimit | Cause::AddressLimit | Cause::RateLimit => Code::TooManyRequests,
            Cause::Full | Cause::Draining | Cause::TooManyDialects | Cause::Unavailable => {
                Code::ServiceUnavailable
            }
            _ => Code::BadRequest,
        };
        Self::new(code, cause.to_string())
    }
}
