//! Representations of data in JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{error::Error, error_code::Code, wire::superjson};

/// The representation of inputs and outputs in JSON; clients must use the same one.
///
/// ```
/// use sse_core::Manager;
/// use sse_trpc::{Management, Transformer};
///
/// let manager = Manager::builder().build()?;
/// let management = Management::new(manager).transformer(Transformer::SuperJson);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transformer {
    /// Plain JSON.
    #[default]
    Json,
    /// The format of [superjson](https://github.com/flightcontrolhq/superjson): `{"json": …}`.
    ///
    /// Only the JSON of an input is read: an `undefined` value is absent, a `Date` is its ISO form,
    /// a `BigInt` its digits, a `Set` an array, a `Map` an array of pairs. Outputs are plain JSON,
    /// so they need no annotations.
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
    /// Returns an input without the JSON that the transformer adds.
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

    /// Returns the JSON that the transformer adds before and after data.
    pub(crate) fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("", ""),
            Self::SuperJson => (r#"{"json":"#, "}"),
        }
    }

    /// Returns data with the JSON that the transformer adds.
    pub(crate) fn wrap(self, json: &str) -> String {
        let (before, after) = self.around();
        [before, json, after].concat()
    }
}
