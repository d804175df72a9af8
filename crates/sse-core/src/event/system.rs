//! The seed's `system` events, and the names among them that are the manager's own.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, json, value::RawValue};

use crate::event::{Event, EventError, event_type::EventType};

/// The data of a `system` event: `{"event": …, "data": …, "timestamp": …}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemEvent<'a> {
    /// What happened: `user_profile_updated`.
    pub event: &'a str,
    /// Details, left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// When, in Unix milliseconds.
    pub timestamp: u64,
}

/// `system` events with these names come from the manager; publishing one is refused.
pub const RESERVED_SYSTEM_EVENTS: [&str; 6] = [
    "gap",
    "shutdown",
    "auth_expired",
    "disconnected",
    "degraded",
    "restored",
];

impl SystemEvent<'_> {
    /// The event, encoded as JSON under the type `system`.
    ///
    /// # Errors
    /// [`EventError::Json`] when `data` does not serialize.
    pub fn to_event(&self) -> Result<Event, EventError> {
        Ok(Event::json(self)?.event_type(EventType::SYSTEM))
    }
}

/// The reserved name that an event of a caller's uses, if it does.
///
/// Found wherever a client's `JSON.parse` would find it: written with escapes, as one of several
/// `event` members (clients differ in which they take), or beside things that JavaScript takes and
/// serde_json does not (lone surrogates, huge numbers, any depth).
pub(crate) fn reserved_name(event: &Event) -> Option<&'static str> {
    if event.event_type_ref()? != &EventType::SYSTEM {
        return None;
    }
    let data = event.data()?;
    let names: Names = serde_json::from_str(&data).ok()?;
    RESERVED_SYSTEM_EVENTS
        .into_iter()
        .find(|reserved| names.0.iter().any(|name| name == reserved.as_bytes()))
}

/// Every `event` member of a JSON object that is a text.
struct Names(Vec<Vec<u8>>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    // Raw, since it is only scanned then, not understood: whatever the grammar
                    // allows passes.
                    let value: &RawValue = map.next_value()?;
                    if key == b"event" {
                        names.extend(serde_json::from_str(value.get()).map(|Text(name)| name));
                    }
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON text as bytes, since a lone surrogate has no place in a `String`.
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

/// Tells that the backplane is away: events of other nodes come later, and publishing fails.
pub(crate) fn degraded() -> Event {
    own("degraded", json!({ "reason": "backplane" }))
}

/// Tells that the backplane is back, and everything has been delivered that came meanwhile.
pub(crate) fn restored() -> Event {
    own("restored", json!({}))
}

/// A system event of the manager's own, whose data cannot fail to serialize.
pub(crate) fn own(name: &str, data: Value) -> Event {
    let system = SystemEvent {
        event: name,
        data: Some(data),
        timestamp: crate::clock::unix_ms(),
    };
    system.to_event().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_in(data: &str) -> Option<&'static str> {
        reserved_name(&Event::text(data).event_type(EventType::SYSTEM))
    }

    #[test]
    fn reserved_names_are_found_however_they_are_written() {
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
    fn other_names_and_other_types_are_free() {
        assert_eq!(name_in(r#"{"event":"gaps","data":{"event":"gap"}}"#), None);
        assert_eq!(name_in("no JSON"), None);
        assert_eq!(reserved_name(&Event::text(r#"{"event":"gap"}"#)), None);
    }
}
