//! Where a client has got to: the `id:` field.

use std::{fmt, str::FromStr};

use crate::id::validate::{FieldError, Forbidden};

/// The `id:` field: no line break, no NUL; empty resets the client's last event id.
///
/// A client sends the last one it saw as `Last-Event-ID` when it reconnects (WHATWG HTML, section
/// 9.2.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId(Box<str>);

impl EventId {
    /// Checks an id.
    ///
    /// # Errors
    /// [`FieldError::Character`] when it contains CR, LF or NUL.
    pub fn new(id: impl Into<Box<str>>) -> Result<Self, FieldError> {
        let id = id.into();
        FieldError::check(&id, Forbidden::LineBreaksAndNul)?;
        Ok(Self(id))
    }

    /// The empty id: the client forgets the last one and sends no `Last-Event-ID`.
    #[must_use]
    pub fn reset() -> Self {
        Self(Box::default())
    }

    /// What a cursor's text is made of has no place for anything forbidden.
    pub(crate) fn of_cursor(text: Box<str>) -> Self {
        Self(text)
    }

    /// The id as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventId {
    type Err = FieldError;

    fn from_str(id: &str) -> Result<Self, FieldError> {
        Self::new(id)
    }
}

impl From<u64> for EventId {
    fn from(number: u64) -> Self {
        Self(itoa::Buffer::new().format(number).into())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
