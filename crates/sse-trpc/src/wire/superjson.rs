//! `undefined` in superjson.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::wire::members::{self, RawMembers};

/// Maximum depth at which `undefined` is removed. Below this depth it stays the `null` that
/// superjson writes, because each level is parsed again.
const DEEPEST: usize = 8;

#[derive(Deserialize)]
struct SuperjsonMeta {
    #[serde(default)]
    values: Value,
}

/// The positions of `undefined` below a place in a document, by name or index.
#[derive(Debug, Default)]
struct ValuePath {
    is_undefined: bool,
    below: BTreeMap<String, ValuePath>,
}

/// Returns a document without the values that its annotations declare to be `undefined`. Members
/// are omitted, as in plain JSON; a document that is `undefined` as a whole becomes empty.
///
/// Annotations are `["undefined"]` for the whole document, or else an object that maps paths to
/// annotations (superjson 2, `plainer.ts` and `pathstringifier.ts`).
pub(crate) fn without<'a>(
    json: &'a RawValue,
    meta: &RawValue,
) -> Result<Cow<'a, str>, serde_json::Error> {
    let meta: SuperjsonMeta = serde_json::from_str(meta.get())?;
    let mut root = ValuePath::default();
    match &meta.values {
        whole if is_undefined(whole) => return Ok("".into()),
        Value::Object(values) => {
            let paths = values
                .iter()
                .filter(|(_, value)| is_undefined(value))
                .map(|(path, _)| segments(path));
            paths
                .filter(|path| path.len() <= DEEPEST)
                .for_each(|path| root.mark(path));
        }
        _ => {}
    }
    if root.below.is_empty() {
        Ok(json.get().into())
    } else {
        root.prune(json.get()).map(Cow::Owned)
    }
}

fn is_undefined(annotation: &Value) -> bool {
    annotation
        .as_array()
        .is_some_and(|values| values.len() == 1 && values[0] == "undefined")
}

/// Splits a path into names, which are separated by dots. A dot or backslash in a name is escaped
/// with a backslash.
fn segments(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        let last = segments.len() - 1;
        match character {
            '.' => segments.push(String::new()),
            '\\' => segments[last].extend(characters.next()),
            other => segments[last].push(other),
        }
    }
    segments
}

impl ValuePath {
    fn mark(&mut self, path: Vec<String>) {
        let place = path
            .into_iter()
            .fold(self, |place, name| place.below.entry(name).or_default());
        place.is_undefined = true;
    }

    fn prune(&self, json: &str) -> Result<String, serde_json::Error> {
        if json.starts_with('{') {
            let RawMembers(members) = serde_json::from_str(json)?;
            let mut kept = Vec::with_capacity(members.len());
            for member in members {
                let name = member.name()?;
                if !self.below.get(&*name).is_some_and(|it| it.is_undefined) {
                    kept.push(member.with(&self.inner(&name, member.value)?));
                }
            }
            return Ok(members::object(&kept));
        }
        if json.starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(json)?;
            let elements = elements.into_iter().enumerate();
            let elements = elements.map(|(index, value)| self.inner(&index.to_string(), value));
            let elements: Vec<_> = elements.collect::<Result<_, _>>()?;
            return Ok(format!("[{}]", elements.join(",")));
        }
        Ok(json.to_owned())
    }

    fn inner<'a>(
        &self,
        name: &str,
        value: &'a RawValue,
    ) -> Result<Cow<'a, str>, serde_json::Error> {
        match self.below.get(name) {
            Some(place) => place.prune(value.get()).map(Cow::Owned),
            None => Ok(value.get().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pruned(json: &str, meta: &str) -> String {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        without(&raw(json), &raw(meta)).unwrap().into_owned()
    }

    #[test]
    fn undefined_values_are_omitted() {
        for (json, meta, expected) in [
            ("null", r#"{"values":["undefined"],"v":1}"#, ""),
            (
                r#"{"a":null,"b":1.50}"#,
                r#"{"values":{"a":["undefined"]}}"#,
                r#"{"b":1.50}"#,
            ),
            (
                r#"{"a":{"b":null,"c":null}}"#,
                r#"{"values":{"a.b":["undefined"]}}"#,
                r#"{"a":{"c":null}}"#,
            ),
            (
                r#"{"a.b":null,"a":{"b":1}}"#,
                r#"{"values":{"a\\.b":["undefined"]}}"#,
                r#"{"a":{"b":1}}"#,
            ),
            (
                r#"{"a\\":null}"#,
                r#"{"values":{"a\\\\":["undefined"]}}"#,
                "{}",
            ),
            // All other members keep their text and their order.
            (
                r#"{"z":1.10,"u":null,"\u0061":1,"a":2,"a":12345678901234567890123}"#,
                r#"{"values":{"u":["undefined"]}}"#,
                r#"{"z":1.10,"\u0061":1,"a":2,"a":12345678901234567890123}"#,
            ),
            // The same as with `JSON.stringify` in arrays.
            (
                r#"{"a":[null,{"b":null}]}"#,
                r#"{"values":{"a.0":["undefined"],"a.1.b":["undefined"]}}"#,
                r#"{"a":[null,{}]}"#,
            ),
            (
                r#"{"a":"2020"}"#,
                r#"{"values":{"a":["Date"]}}"#,
                r#"{"a":"2020"}"#,
            ),
            ("7", r#"{"values":{"a":["undefined"]}}"#, "7"),
            ("{}", "{}", "{}"),
            ("{}", r#"{"values":7}"#, "{}"),
            (
                r#"{"a":null}"#,
                r#"{"values":{"b.c":["undefined"],"":["undefined"]}}"#,
                r#"{"a":null}"#,
            ),
        ] {
            assert_eq!(pruned(json, meta), expected, "{json} {meta}");
        }
    }

    #[test]
    fn paths_of_any_length_exhaust_nothing() {
        let path = "a.".repeat(100_000);
        let json = format!("{}null{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(
            pruned(
                &json,
                &format!(r#"{{"values":{{"{path}":["undefined"]}}}}"#)
            ),
            json
        );
    }
}
