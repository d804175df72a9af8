//! The error of a run: a message for the person at the terminal.

use std::{fmt, io};

/// The reason why a run could not be completed. A lost event is not an error but part of a
/// judgment.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    /// Creates an error with this message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<sse_testkit::Error> for Error {
    fn from(error: sse_testkit::Error) -> Self {
        Self(error.to_string())
    }
}
