//! Sets of keys.

use std::path::Path;

use serde_json::Value;

use crate::{
    error::AuthError,
    jwt::{algorithm::Algorithm, key::Key, key_error::KeyError},
};

/// Google has two keys, Azure a dozen. Each one is work for tokens that name none.
const MAX_KEYS: usize = 64;

/// What a set may hold as text.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// How many keys are tried for one token.
const MAX_TRIED: usize = 8;

/// A set of keys: the JWK set of an issuer (RFC 7517), or keys that were given one by one.
#[derive(Debug, Clone, Default)]
pub struct Jwks {
    keys: Vec<Key>,
}

impl Jwks {
    /// A set from its JSON text. Keys of unknown kinds, for other uses or with broken members are
    /// passed over, as the RFC has it (section 5); secrets (`oct`) are taken, since this text is
    /// the operator's own.
    ///
    /// # Errors
    ///
    /// [`KeyError::Jwks`] for what is no set, over 256 KiB, or has more than 64 keys;
    /// [`KeyError::NoKey`] when no key is left.
    pub fn from_json(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(text.as_ref())
    }

    /// A set from a file; [`JwksFile`](crate::JwksFile) is one that is read again and again.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), and when the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::parse(&std::fs::read(path).map_err(KeyError::File)?)
    }

    /// A published set: what is public cannot be a secret.
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

    /// The keys that a token may be signed with: those with its `kid`, or, where none has it, those
    /// without an id; every key for a token that names none. Only such as are for its algorithm.
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
