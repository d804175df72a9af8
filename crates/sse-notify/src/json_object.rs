//! JSON objects as text.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected},
};
use serde_json::value::{RawValue, to_raw_value};
use sse_core::event::EventError;

/// A JSON object, kept as text: the additional data of a notification.
///
/// Numbers keep their digits, and members keep their order.
///
/// ```
/// use sse_notify::JsonObject;
///
/// let object: JsonObject = serde_json::from_str(r#"{"total":1.10,"id":12345678901234567890123}"#)?;
/// assert_eq!(object.as_str(), r#"{"total":1.10,"id":12345678901234567890123}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct JsonObject(Box<RawValue>);

impl JsonObject {
    /// Serializes a value, which must become an object (`Record<string, any>` in TypeScript).
    ///
    /// # Errors
    /// [`EventError::Json`] if the value does not serialize, or not to an object.
    pub fn new<T: Serialize + ?Sized>(data: &T) -> Result<Self, EventError> {
        let raw = to_raw_value(data).map_err(EventError::Json)?;
        match kind(&raw) {
            "an object" => Ok(Self(raw)),
            // The value itself can be long and private.
            other => {
                let problem = format_args!("data must be an object, not {other}");
                Err(EventError::Json(serde::ser::Error::custom(problem)))
            }
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

/// Objects are equal if their texts are.
impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonObject {}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match kind(&raw) {
            "an object" => Ok(Self(raw)),
            other => Err(de::Error::invalid_type(
                Unexpected::Other(other),
                &"an object",
            )),
        }
    }
}

/// Returns the kind of a value.
fn kind(json: &RawValue) -> &'static str {
    match json.get().trim_ascii_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
