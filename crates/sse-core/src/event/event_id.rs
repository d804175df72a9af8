//! The `id:` field of events.

use std::{fmt, str::FromStr};

use crate::id::validate::{FieldError, Forbidden};

/// The `id:` field of an event. An id has no line break and no NUL. An empty id resets the client's
/// last event id.
///
/// A client sends the last id that it received as `Last-Event-ID` when it reconnects (WHATWG HTML,
/// section 9.2.4).
///
/// ```
/// use sse_core::{Event, event::EventId};
///
/// let event = Event::text("hello").with_id(EventId::new("7")?);
/// assert_eq!(event.encode(), "id: 7\ndata: hello\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId(Box<str>);

impl EventId {
    /// Creates an id after checking it.
    ///
    /// # Errors
    /// [`FieldError::Character`] if the id contains CR, LF or NUL.
    pub fn new(id: impl Into<Box<str>>) -> Result<Self, FieldError> {
        let id = id.into();
        FieldError::check(&id, Forbidden::LineBreaksAndNul)?;
        Ok(Self(id))
    }

    /// Returns the empty id. A client that receives it forgets its last event id and sends no
    /// `Last-Event-ID`.
    #[must_use]
    pub fn reset() -> Self {
        Self(Box::default())
    }

    /// Creates an id from the text of a cursor without a check, because a cursor cannot contain
    /// forbidden characters.
    pub(crate) fn of_cursor(text: Box<str>) -> Self {
        Self(text)
    }

    /// Returns the id as it appears on the wire.
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
