//! What notifications look like on the wire.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sse_core::{EventType, Payload};

/// The data of a `notification` event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notification {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Map<String, Value>>,
    /// Unix milliseconds.
    pub(crate) timestamp: u64,
}

/// The `type` of a notification.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    #[default]
    Info,
    Success,
    Warning,
    Error,
}

impl Payload for Notification {
    const EVENT: EventType = EventType::NOTIFICATION;
}
