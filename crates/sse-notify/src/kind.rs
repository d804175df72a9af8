//! Kinds of notifications.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kind of a notification: the payload's `type`.
///
/// ```
/// use sse_notify::Kind;
///
/// let kind: Kind = "success".parse()?;
/// assert_eq!(kind, Kind::Success);
/// assert_eq!(kind.as_str(), "success");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Information.
    #[default]
    Info,
    /// A success.
    Success,
    /// A warning.
    Warning,
    /// An error.
    Error,
}

/// The error of parsing a word that is not a kind of notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind;

impl Kind {
    /// Returns the word for the kind on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        [Self::Info, Self::Success, Self::Warning, Self::Error]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(UnknownKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kind of notification is not info, success, warning or error")
    }
}

impl std::error::Error for UnknownKind {}
