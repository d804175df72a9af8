//! Long-lived keys of backends.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    authenticator::Authenticator,
    error::AuthError,
    identity::{Credential, Identity},
    jwt::{key::is_key_text, key_error::KeyError},
    request::{RequestView, bearer},
};

/// Minimum length of a key, in bytes: 128 bits in hexadecimal digits.
const MIN_LENGTH: usize = 32;

/// An authenticator that recognises a backend by a key in `Authorization: Bearer`. A backend is not
/// a user; its claims define its rights.
///
/// Every other bearer token is left to the next authenticator.
///
/// ```
/// use sse_auth::{ApiKey, Authenticator, RequestView};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "0123456789abcdef0123456789abcdef";
/// let key = ApiKey::new(text)?.claim("backend", true);
///
/// let identity = key.authenticate(&RequestView::with_bearer(text)).await?.unwrap();
/// assert_eq!(identity.user, None);
/// assert_eq!(identity.claims["backend"], true);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ApiKey {
    digest: [u8; 32],
    claims: Map<String, Value>,
}

impl ApiKey {
    /// Creates an authenticator for a key, without claims.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::TooShort`] for a key of less than 32 bytes, [`KeyError::NoSecretText`]
    /// for a key in PEM, JSON or the form of SSH, and [`KeyError::NotSendable`] for a key that a
    /// header cannot carry, such as one with a line break at the end.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let key = key.as_ref();
        if is_key_text(key) {
            return Err(KeyError::NoSecretText);
        }
        match key.len() {
            length if length < MIN_LENGTH => Err(KeyError::TooShort {
                length,
                least: MIN_LENGTH,
            }),
            _ if !bearer::is_token(key) => Err(KeyError::NotSendable),
            _ => Ok(Self {
                digest: Sha256::digest(key).into(),
                claims: Map::new(),
            }),
        }
    }

    /// Adds a claim of the callers that present the key.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }
}

#[async_trait]
impl Authenticator for ApiKey {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let mut malformed = None;
        for token in request.bearer_tokens() {
            match token {
                // Digests have one length, so the comparison does not reveal the length of the key.
                Ok(token) if Sha256::digest(token).as_slice().ct_eq(&self.digest).into() => {
                    return Ok(Some(
                        Identity::without_user(Credential::Bearer).claims(self.claims.clone()),
                    ));
                }
                Ok(_) => {}
                Err(error) => _ = malformed.get_or_insert(error),
            }
        }
        malformed.map_or(Ok(None), Err)
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
