//! Sets of keys.

use std::path::Path;

use serde_json::Value;

use crate::{
    error::AuthError,
    jwt::{algorithm::Algorithm, key::Key, key_error::KeyError},
};

/// Maximum number of keys in a set. Google has two keys, Azure a dozen. Each key costs work for
/// tokens without a `kid`.
const MAX_KEYS: usize = 64;

/// Maximum length of a set's text, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// Maximum number of keys that are tried for one token.
const MAX_TRIED: usize = 8;

/// A set of keys: the JWK set of an issuer (RFC 7517), or keys that were added one by one.
#[derive(Debug, Clone, Default)]
pub struct Jwks {
    keys: Vec<Key>,
}

impl Jwks {
    /// Parses a set from its JSON text. Keys of unknown kinds, for other uses or with invalid
    /// members are skipped, as the RFC demands (section 5). Secrets (`oct`) are accepted, because
    /// this text is the operator's own.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::Jwks`] for a text that is not a set, exceeds 256 KiB or has more than 64
    /// keys, and [`KeyError::NoKey`] if no key is left.
    pub fn from_json(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(text.as_ref())
    }

    /// Reads a set from a file, once. [`JwksFile`](crate::JwksFile) reads a file repeatedly.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_json`](Self::from_json), and an error if the file cannot be
    /// read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::parse(&std::fs::read(path).map_err(KeyError::File)?)
    }

    /// Parses a published set, without secrets: a published key cannot be secret.
    pub(crate) fn public(text: &[u8]) -> Result<Self, KeyError> {
        let mut set = Self::parse(text)?;
        set.keys.retain(|key| !key.is_symmetric());
        if set.keys.is_empty() {
            Err(KeyError::NoKey)
        } else {
            Ok(set)
        }
    }

    fn parse(text: &[u8]) -> Result<Self, KeyError> {
        if text.len() > MAX_BYTES {
            return Err(KeyError::Jwks("it is longer than 256 KiB"));
        }
        let set: Value =
            serde_json::from_slice(text).map_err(|_| KeyError::Jwks("it is not JSON"))?;
        let keys = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeyError::Jwks("it has no `keys`"))?;
        if keys.len() > MAX_KEYS {
            return Err(KeyError::Jwks("it has more than 64 keys"));
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| Key::jwk(key).ok()).collect();
        if keys.is_empty() {
            Err(KeyError::NoKey)
        } else {
            Ok(Self { keys })
        }
    }

    pub(crate) fn push(&mut self, key: Key) {
        self.keys.push(key);
    }

    pub(crate) fn extend(&mut self, set: Self) {
        self.keys.extend(set.keys);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys that can have signed a token, limited to those for its algorithm. These are
    /// the keys with the token's `kid` or, if no key has that id, the keys without an id. For a
    /// token without `kid`, they are all keys.
    pub(crate) fn candidates(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Vec<&Key>, AuthError> {
        let named: Vec<_> = match kid {
            None => self.keys.iter().collect(),
            Some(kid) => self
                .with_id(Some(kid))
                .or_else(|| self.with_id(None))
                .unwrap_or_default(),
        };
        let fitting: Vec<_> = named
            .iter()
            .copied()
            .filter(|key| key.is_for(algorithm))
            .collect();
        match fitting.len() {
            0 if named.is_empty() => Err(AuthError::UnknownKey),
            0 => Err(AuthError::Algorithm(algorithm.name().to_owned())),
            1..=MAX_TRIED => Ok(fitting),
            _ => Err(AuthError::AmbiguousKey { limit: MAX_TRIED }),
        }
    }

    fn with_id(&self, id: Option<&str>) -> Option<Vec<&Key>> {
        let keys: Vec<_> = self.keys.iter().filter(|key| key.id() == id).collect();
        if keys.is_empty() { None } else { Some(keys) }
    }
}
