//! What a client says of itself where it cannot send headers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{code::Code, error::Error};

/// What a client says of itself where it cannot send headers: the `connectionParams` of tRPC's `httpSubscriptionLink`.
///
/// They stand in the URL, so they turn up in logs of proxies: put short-lived things in them.
pub type ConnectionParams = BTreeMap<String, String>;

/// As tRPC reads them (`http/parseConnectionParams.ts`).
pub(crate) fn parse(text: &str) -> Result<Option<ConnectionParams>, Error> {
    let refused = |message| Error::new(Code::ParseError, message);
    let value: Value = serde_json::from_str(text).map_err(|_| refused("Not JSON-parsable query params"))?;
    let members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(refused("Invalid connection params shape")),
    };
    let strings = members.into_iter().map(|(name, value)| match value {
        Value::String(value) => Ok((name, value)),
        _ => Err(refused("Invalid connection params shape")),
    });
    strings.collect::<Result<_, _>>().map(Some)
}
