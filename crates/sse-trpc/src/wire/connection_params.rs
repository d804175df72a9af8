//! The parameters of a client that cannot send headers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;
use sse_core::event::replace_lone_surrogates;

use crate::{error::Error, error_code::Code};

/// The parameters of a client that cannot send headers: the `connectionParams` of tRPC's
/// `httpSubscriptionLink`.
///
/// The parameters are part of the URL, so they appear in logs of proxies: use short-lived values.
pub type ConnectionParams = BTreeMap<String, String>;

/// Parses the parameters as tRPC does (`http/parseConnectionParams.ts`).
pub(crate) fn parse(text: &str) -> Result<Option<ConnectionParams>, Error> {
    let refused = |message| Error::new(Code::ParseError, message);
    let mut text = text.as_bytes().to_vec();
    replace_lone_surrogates(&mut text);
    let value: Value =
        serde_json::from_slice(&text).map_err(|_| refused("Not JSON-parsable query params"))?;
    let members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => {
            // Nothing decides between two tokens.
            serde_json::from_slice::<NoRepeats>(&text)
                .map_err(|_| refused("connection params are repeated"))?;
            members
        }
        _ => return Err(refused("Invalid connection params shape")),
    };
    let strings = members.into_iter().map(|(name, value)| match value {
        Value::String(value) => Ok((name, value)),
        _ => Err(refused("Invalid connection params shape")),
    });
    strings.collect::<Result<_, _>>().map(Some)
}

/// An object whose members are unique.
struct NoRepeats;

impl<'de> Deserialize<'de> for NoRepeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = NoRepeats;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NoRepeats, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<IgnoredAny>()?;
            if !names.insert(name) {
                return Err(A::Error::custom("repeated"));
            }
        }
        Ok(NoRepeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_is_chosen_by_its_place() {
        for text in [r#"{"token":"a","token":"b"}"#, r#"{"a":"","\u0061":""}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(
            parse(r#"{"token":"a","ticket":"b"}"#)
                .unwrap()
                .unwrap()
                .len(),
            2
        );
        assert!(parse("null").unwrap().is_none());
    }

    #[test]
    fn half_of_a_surrogate_pair_is_replaced() {
        let params = parse(r#"{"user":"a\ud83d","\ude00":"\ud83d\ude00"}"#)
            .unwrap()
            .unwrap();
        assert_eq!(params["user"], "a\u{fffd}");
        assert_eq!(params["\u{fffd}"], "\u{1f600}");
    }
}
