//! The credentials of one request that are checked.

use std::borrow::Cow;

use crate::error::AuthError;

/// Maximum size of all credentials that are tried for one request.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// The credentials to check, each once, bounded in number and bytes: checking a credential costs
/// much more than sending it.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    limit: usize,
    bytes: usize,
    values: Vec<Cow<'a, str>>,
}

impl<'a> Candidates<'a> {
    pub(crate) fn at_most(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            values: Vec::new(),
        }
    }

    /// Adds a credential. An empty value is ignored, because it is that of a deleted cookie.
    pub(crate) fn push(&mut self, value: Cow<'a, str>) -> Result<(), AuthError> {
        if value.is_empty() || self.values.contains(&value) {
            return Ok(());
        }
        self.bytes += value.len();
        if self.values.len() == self.limit || self.bytes > MAX_BYTES {
            return Err(self.too_many());
        }
        self.values.push(value);
        Ok(())
    }

    pub(crate) fn too_many(&self) -> AuthError {
        AuthError::TooMany { limit: self.limit }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| &**value)
    }
}
