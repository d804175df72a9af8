//! Notifications to users.

use serde::{Deserialize, Serialize};
use sse_core::{Event, EventType, IntoEvent, backplane::unix_ms, event::EventError};

use crate::{json_object::JsonObject, kind::Kind};

/// A notification to a user: the payload of a `notification` event.
///
/// On the wire `{"type","title"?,"message","data"?,"timestamp"}`, the timestamp in Unix
/// milliseconds.
///
/// ```
/// use sse_core::IntoEvent;
/// use sse_notify::{Kind, Notification};
///
/// let notification = Notification::new(Kind::Warning, "The disk is almost full").timestamp(0);
/// assert_eq!(
///     notification.into_event()?.data().as_deref(),
///     Some(r#"{"type":"warning","message":"The disk is almost full","timestamp":0}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notification {
    /// The kind; [`Kind::Info`] if the JSON has no `type`.
    #[serde(rename = "type", default)]
    pub kind: Kind,
    /// A heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text.
    pub message: String,
    /// Additional data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<JsonObject>,
    /// The time of the notification in Unix milliseconds. Filled in on sending if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

impl Notification {
    /// Creates a notification with a text.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            title: None,
            message: message.into(),
            data: None,
            timestamp: None,
        }
    }

    /// Sets the heading.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the additional data.
    #[must_use]
    pub fn data(mut self, data: JsonObject) -> Self {
        self.data = Some(data);
        self
    }

    /// Sets the time of the notification, in Unix milliseconds.
    #[must_use]
    pub fn timestamp(mut self, unix_ms: u64) -> Self {
        self.timestamp = Some(unix_ms);
        self
    }
}

impl IntoEvent for Notification {
    fn into_event(mut self) -> Result<Event, EventError> {
        self.timestamp.get_or_insert_with(unix_ms);
        Ok(Event::json(&self)?.with_event_type(EventType::NOTIFICATION))
    }
}
