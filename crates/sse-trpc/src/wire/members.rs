//! Members of JSON objects, as text.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of an object in their order, repeated ones included.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<Member<'a>>);

#[derive(Debug)]
pub(crate) struct Member<'a> {
    name: &'a RawValue,
    pub(crate) value: &'a RawValue,
}

impl<'a> Member<'a> {
    /// Returns the name without its quotes and escapes.
    pub(crate) fn name(&self) -> Result<Cow<'a, str>, serde_json::Error> {
        let BorrowedName(name) = serde_json::from_str(self.name.get())?;
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
struct BorrowedName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            members.push(Member { name, value });
        }
        Ok(Members(members))
    }
}
