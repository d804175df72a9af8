//! `system` events, and the names that are reserved for the manager.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::event::{Event, EventError, event_type::EventType};

/// The data of a `system` event: `{"event": …, "data": …, "timestamp": …}`.
///
/// ```
/// use sse_core::event::SystemEvent;
///
/// let event = SystemEvent {
///     event: "user_profile_updated",
///     data: None,
///     timestamp: 0,
/// };
/// assert_eq!(
///     event.to_event()?.encode(),
///     "event: system\ndata: {\"event\":\"user_profile_updated\",\"timestamp\":0}\n\n",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct SystemEvent<'a> {
    /// Name of what happened, such as `user_profile_updated`.
    pub event: &'a str,
    /// Details, omitted if there are none. The text passes through, as in [`Event::json`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// Time in Unix milliseconds.
    pub timestamp: u64,
}

/// The names of `system` events that only the manager sends. Publishing a `system` event with one
/// of these names is rejected.
pub const RESERVED_SYSTEM_EVENTS: [&str; 6] = [
    "gap",
    "shutdown",
    "auth_expired",
    "disconnected",
    "degraded",
    "restored",
];

impl SystemEvent<'_> {
    /// Returns the event, encoded as JSON under the type `system`.
    ///
    /// # Errors
    /// [`EventError::Json`] if the event does not serialize.
    pub fn to_event(&self) -> Result<Event, EventError> {
        Ok(Event::json(self)?.with_event_type(EventType::SYSTEM))
    }
}

/// Returns the reserved name that a caller's event uses, if any.
///
/// The name is found in every form in which a client's `JSON.parse` finds it. It can be written
/// with escapes, or be one of several `event` members (clients differ in which member they take).
/// The data can also contain values that JavaScript accepts and serde_json does not: lone
/// surrogates (in [`Event::text`]), huge numbers, any depth.
pub(crate) fn reserved_name(event: &Event) -> Option<&'static str> {
    if event.event_type()? != &EventType::SYSTEM {
        return None;
    }
    let data = event.data()?;
    let names: EventNames = serde_json::from_str(&data).ok()?;
    RESERVED_SYSTEM_EVENTS
        .into_iter()
        .find(|reserved| names.0.iter().any(|name| name == reserved.as_bytes()))
}

/// All `event` members of a JSON object whose values are text.
struct EventNames(Vec<Vec<u8>>);

impl<'de> Deserialize<'de> for EventNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = EventNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventNames, A::Error> {
                let mut names = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    // Keep the value raw. serde_json then scans it without interpreting it, and
                    // accepts everything that the grammar allows.
                    let value: &RawValue = map.next_value()?;
                    if key == b"event" {
                        names.extend(serde_json::from_str(value.get()).map(|Text(name)| name));
                    }
                }
                Ok(EventNames(names))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON string as bytes, because a `String` cannot hold a lone surrogate.
struct Text(Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.as_bytes().to_vec()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// Creates the event that reports an unavailable backplane. Events of other nodes arrive late, and
/// publishing fails.
pub(crate) fn degraded() -> Event {
    own("degraded", &json!({ "reason": "backplane" }))
}

/// Creates the event that reports a recovered backplane. Everything that arrived in the meantime
/// has been delivered.
pub(crate) fn restored() -> Event {
    own("restored", &json!({}))
}

/// Creates a system event of the manager, whose data cannot fail to serialize.
pub(crate) fn own(name: &str, data: &Value) -> Event {
    let data = to_raw_value(data).ok();
    let system = SystemEvent {
        event: name,
        data: data.as_deref(),
        timestamp: crate::clock::unix_ms(),
    };
    system.to_event().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_in(data: &str) -> Option<&'static str> {
        reserved_name(&Event::text(data).with_event_type(EventType::SYSTEM))
    }

    #[test]
    fn reserved_names_are_found_in_every_spelling() {
        assert_eq!(name_in(r#"{"event":"gap"}"#), Some("gap"));
        assert_eq!(name_in(r#"{"\u0065vent":"\u0067ap"}"#), Some("gap"));
        assert_eq!(
            name_in(r#"{"event":"mine","event":"shutdown"}"#),
            Some("shutdown")
        );
        assert_eq!(
            name_in("{\"data\":{},\r\n\"event\":\"disconnected\"}"),
            Some("disconnected")
        );
    }

    #[test]
    fn other_names_and_types_are_allowed() {
        assert_eq!(name_in(r#"{"event":"gaps","data":{"event":"gap"}}"#), None);
        assert_eq!(name_in("no JSON"), None);
        assert_eq!(reserved_name(&Event::text(r#"{"event":"gap"}"#)), None);
    }
}
