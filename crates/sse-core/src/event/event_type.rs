//! The `event:` field of events.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::id::validate::{FieldError, Forbidden};

/// The `event:` field of an event. A type has at least one byte and no line break.
///
/// A browser dispatches events without a type, and events of type `message`, to `onmessage`. All
/// other events go to `addEventListener(name)` (WHATWG HTML, section 9.2.6). The name `error` is
/// allowed, but collides with the `error` event that `EventSource` fires itself, so listeners
/// receive both.
///
/// ```
/// use sse_core::{Event, EventType};
///
/// const TICK: EventType = EventType::from_static("tick");
///
/// let event = Event::text("7").with_event_type(TICK);
/// assert_eq!(event.encode(), "event: tick\ndata: 7\n\n");
/// assert!(EventType::new("two\nlines").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// `notification`, an event for users.
    pub const NOTIFICATION: Self = Self::from_static("notification");
    /// `system`, an event for programs.
    pub const SYSTEM: Self = Self::from_static("system");
    /// `connection`, the first event of every stream. Reserved for the manager: publishing it is
    /// rejected.
    pub const CONNECTION: Self = Self::from_static("connection");
    /// `heartbeat`, sent on quiet streams. Reserved for the manager: publishing it is rejected.
    pub const HEARTBEAT: Self = Self::from_static("heartbeat");

    /// Creates an event type from a name that is known only at run time.
    ///
    /// # Errors
    /// [`FieldError`] if the name is empty or contains CR or LF.
    pub fn new(name: impl Into<String>) -> Result<Self, FieldError> {
        let name = name.into();
        if name.is_empty() {
            return Err(FieldError::Empty);
        }
        FieldError::check(&name, Forbidden::LineBreaks)?;
        Ok(Self(Cow::Owned(name)))
    }

    /// Creates an event type from a literal. In a `const`, an invalid literal does not compile.
    ///
    /// ```
    /// # use sse_core::EventType;
    /// const TICK: EventType = EventType::from_static("tick");
    /// ```
    ///
    /// # Panics
    /// Panics if the literal is empty or contains CR or LF. Use [`EventType::new`] for input.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(!name.is_empty(), "an event type has at least one byte");
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                bytes[at] != b'\n' && bytes[at] != b'\r',
                "an event type has no line break"
            );
            at += 1;
        }
        Self(Cow::Borrowed(name))
    }

    /// Returns the name as it appears on the wire.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if only the manager may send events of this type.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        matches!(self.as_str(), "connection" | "heartbeat")
    }
}

impl FromStr for EventType {
    type Err = FieldError;

    fn from_str(name: &str) -> Result<Self, FieldError> {
        Self::new(name)
    }
}

impl TryFrom<&str> for EventType {
    type Error = FieldError;

    fn try_from(name: &str) -> Result<Self, FieldError> {
        Self::new(name)
    }
}

impl TryFrom<String> for EventType {
    type Error = FieldError;

    fn try_from(name: String) -> Result<Self, FieldError> {
        Self::new(name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
