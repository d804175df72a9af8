//! How data stand in JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{error::Error, error_code::Code, wire::superjson};

/// How inputs and outputs stand in JSON; clients must be set up for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transformer {
    /// As they are.
    #[default]
    Json,
    /// As [superjson](https://github.com/flightcontrolhq/superjson) writes them: `{"json": …}`.
    ///
    /// Of an input the JSON is taken: what is `undefined` is not there, a `Date` is its ISO form, a
    /// `BigInt` its digits, a `Set` an array, a `Map` an array of pairs. Outputs are plain JSON, so
    /// they need no annotations.
    SuperJson,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    json: &'a RawValue,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

impl Transformer {
    /// An input without what the transformer put around it.
    pub(crate) fn unwrap(self, input: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        if self == Self::Json || input.trim_ascii().is_empty() {
            return Ok(input.into());
        }
        let refused = |error| {
            Error::new(
                Code::BadRequest,
                format!("the input is not superjson: {error}"),
            )
        };
        let wrapped: Wrapped<'_> = serde_json::from_slice(input).map_err(refused)?;
        let json = match wrapped.meta {
            Some(meta) if meta.get().contains("undefined") => {
                superjson::without(wrapped.json, meta).map_err(refused)?
            }
            _ => wrapped.json.get().into(),
        };
        Ok(match json {
            Cow::Borrowed(json) => json.as_bytes().into(),
            Cow::Owned(json) => json.into_bytes().into(),
        })
    }

    /// What belongs around data.
    pub(crate) fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("", ""),
            Self::SuperJson => (r#"{"json":"#, "}"),
        }
    }

    /// Data with what belongs around them.
    pub(crate) fn wrap(self, json: &str) -> String {
        let (before, behind) = self.around();
        [before, json, behind].concat()
    }
}
