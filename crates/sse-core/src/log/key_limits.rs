//! Bounds on idempotency keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Maximum numbers of idempotency keys that count at the same time, within
/// [`KEY_WINDOW`](crate::KEY_WINDOW).
///
/// A key is never forgotten early to make room for another one. A publish under a new key is
/// refused at the bound instead. A publish with [`Event::patience`](crate::Event::patience) takes a
/// key as well. Users and backends have separate bounds, so that neither group takes the room of
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyLimits {
    /// Keys of one user. Default 1,000.
    pub per_user: usize,
    /// Keys of all users together, anonymous callers included. Default 200,000.
    pub of_users: usize,
    /// Keys of the app and its backends together. Default 500,000.
    pub of_backends: usize,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self {
            per_user: 1000,
            of_users: 200_000,
            of_backends: 500_000,
        }
    }
}

impl KeyLimits {
    /// Sets the number of keys of one user.
    #[must_use]
    pub fn per_user(mut self, keys: usize) -> Self {
        self.per_user = keys;
        self
    }

    /// Sets the number of keys of all users together.
    #[must_use]
    pub fn of_users(mut self, keys: usize) -> Self {
        self.of_users = keys;
        self
    }

    /// Sets the number of keys of the app and its backends together.
    #[must_use]
    pub fn of_backends(mut self, keys: usize) -> Self {
        self.of_backends = keys;
        self
    }
}

/// A publish was refused because no further idempotency key can be remembered. Nothing was
/// published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{bound}, {limit} within two minutes")]
#[non_exhaustive]
pub struct KeysFull {
    /// The bound that was reached.
    pub bound: KeyBound,
    /// The number of keys that the bound allows.
    pub limit: usize,
    /// The time after which another try makes sense.
    pub retry_after: Duration,
}

/// A bound on idempotency keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum KeyBound {
    /// [`KeyLimits::per_user`]: the caller itself has published too much.
    #[error("the caller has as many publishes with a key or with patience as one user may have")]
    PerUser,
    /// [`KeyLimits::of_users`].
    #[error(
        "all users together have as many publishes with a key or with patience as they may have"
    )]
    OfUsers,
    /// [`KeyLimits::of_backends`].
    #[error(
        "all backends together have as many publishes with a key or with patience as they may have"
    )]
    OfBackends,
}

impl KeysFull {
    /// A refusal by a bound.
    #[must_use]
    pub fn new(bound: KeyBound, limits: &KeyLimits, retry_after: Duration) -> Self {
        let limit = match bound {
            KeyBound::PerUser => limits.per_user,
            KeyBound::OfUsers => limits.of_users,
            KeyBound::OfBackends => limits.of_backends,
        };
        Self {
            bound,
            limit,
            retry_after,
        }
    }
}
