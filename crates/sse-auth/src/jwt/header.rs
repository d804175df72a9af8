//! The protected header of a token (RFC 7515 and 7516, section 4).

use serde_json::{Map, Value};

use crate::{error::AuthError, jwt::base64url};

/// A header that requires no unsupported extension.
///
/// Keys inside a token (`jwk`, `jku`, `x5c`, `x5u`) are never used.
#[derive(Debug)]
pub(crate) struct JwtHeader {
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    parameters: Map<String, Value>,
}

impl JwtHeader {
    pub(crate) fn decode(part: &str) -> Result<Self, AuthError> {
        let parameters: Map<String, Value> = serde_json::from_slice(&base64url::decode(part)?)
            .map_err(|_| AuthError::Malformed("the header is not a JSON object"))?;
        // Compressed tokens are bombs; `crit` and `b64` demand extensions, none of which is
        // supported.
        if let Some(refused) = ["zip", "crit", "b64"]
            .into_iter()
            .find(|name| parameters.contains_key(*name))
        {
            return Err(AuthError::HeaderParameter(refused));
        }
        let mut header = Self {
            algorithm: String::new(),
            kid: None,
            parameters,
        };
        header.algorithm = header
            .text("alg")?
            .ok_or(AuthError::Malformed("the header has no `alg`"))?
            .to_owned();
        header.kid = header.text("kid")?.map(str::to_owned);
        Ok(header)
    }

    /// Returns a parameter, which must be text if it is present.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, AuthError> {
        match self.parameters.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(AuthError::Malformed("a header parameter is not text")),
        }
    }
}
