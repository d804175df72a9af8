//! The error of this program: a message for the person at the terminal.

use std::fmt;

/// The reason why a step did not succeed.
#[derive(Debug)]
pub(crate) struct Error(String);

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
