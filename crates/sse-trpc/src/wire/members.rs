//! Members of JSON objects, as text.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of an object in their order, repeated ones included.
#[derive(Debug)]
pub(crate) struct RawMembers<'a>(pub(crate) Vec<RawMember<'a>>);

#[derive(Debug)]
pub(crate) struct RawMember<'a> {
    name: &'a RawValue,
    pub(crate) value: &'a RawValue,
}

impl<'a> RawMember<'a> {
    /// Returns the name without its quotes and escapes.
    pub(crate) fn name(&self) -> Result<Cow<'a, str>, serde_json::Error> {
        let DecodedName(name) = serde_json::from_str(self.name.get())?;
        Ok(name)
    }

    /// Returns the member with another value.
    pub(crate) fn with(&self, value: &str) -> String {
        [self.name.get(), ":", value].concat()
    }
}

/// Writes an object of members.
pub(crate) fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

#[derive(Deserialize)]
struct DecodedName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawMembersVisitor)
    }
}

struct RawMembersVisitor;

impl<'de> Visitor<'de> for RawMembersVisitor {
    type Value = RawMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMembers<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            members.push(RawMember { name, value });
        }
        Ok(RawMembers(members))
    }
}
