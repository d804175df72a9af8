//! The end of a body.

use std::fmt;

/// The way in which a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The body was marked as complete, by the last chunk or the announced length.
    Complete,
    /// The connection was closed, which is the regular end of a body without an announced length.
    Closed,
    /// The connection was closed in the middle of an unfinished body.
    Cut,
    /// The connection was reset.
    Reset,
}

impl End {
    /// Returns `true` if nothing indicates that a part is missing.
    #[must_use]
    pub fn is_clean(self) -> bool {
        matches!(self, Self::Complete | Self::Closed)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "the body is complete",
            Self::Closed => "the connection was closed after a body without an announced length",
            Self::Cut => "the connection was closed in the middle of the body",
            Self::Reset => "the connection was reset",
        })
    }
}
