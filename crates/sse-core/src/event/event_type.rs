//! What kind of event this is: the `event:` field.

use std::{borrow::Cow, fmt, str::FromStr};

use crate::id::validate::{FieldError, Forbidden};

/// The `event:` field: at least one byte, no line break.
///
/// WHATWG HTML, section 9.2.6: a browser hands events without one, and those named `message`, to
/// `onmessage`; all others to `addEventListener(name)`. The name `error` is allowed, but collides
/// with the `error` event that `EventSource` fires itself, so listeners get both.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// `notification`, the seed's event for users.
    pub const NOTIFICATION: Self = Self::from_static("notification");
    /// `system`, the seed's event for programs.
    pub const SYSTEM: Self = Self::from_static("system");
    /// `connection`, the first event of every stream. The manager's own: publishing it is refused.
    pub const CONNECTION: Self = Self::from_static("connection");
    /// `heartbeat`, sent on quiet streams. The manager's own: publishing it is refused.
    pub const HEARTBEAT: Self = Self::from_static("heartbeat");

    /// Checks a name that is known only at run time.
    ///
    /// # Errors
    /// [`FieldError`] when it is empty or contains CR or LF.
    pub fn new(name: impl Into<String>) -> Result<Self, FieldError> {
        let name = name.into();
        if name.is_empty() {
            return Err(FieldError::Empty);
        }
        FieldError::check(&name, Forbidden::LineBreaks)?;
        Ok(Self(Cow::Owned(name)))
    }

    /// Takes a literal; in a `const` a bad one does not compile.
    ///
    /// ```
    /// # use sse_core::EventType;
    /// const TICK: EventType = EventType::from_static("tick");
    /// ```
    ///
    /// # Panics
    /// When the literal is empty or contains CR or LF. Only for literals: use [`EventType::new`]
    /// for input.
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

    /// The name as it stands on the wire.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only the manager may send events of this type.
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
