//! Bounds on idempotency keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Maximum numbers of idempotency keys that count at the same time, within
/// [`KEY_WINDOW`](crate::backplane::KEY_WINDOW).
///
/// A key is never forgotten early to make room for another key. Instead, a publish with a new key
/// is rejected at the limit. A publish with [`Event::with_retry_for`](crate::Event::with_retry_for)
/// uses a key as well. Users and backends have separate limits, so that neither group uses up the
/// keys of the other.
///
/// ```
/// use sse_core::{Event, Manager, PublishError, Retention, UserId, access::KeyScope, config::KeyLimits};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = KeyLimits::default().per_user(1);
/// let manager = Manager::builder().log(Retention::default()).keys(keys).build()?;
/// let scope = KeyScope::User(UserId::new("42")?);
///
/// let first = Event::text("hello").with_idempotency_key("1").with_key_scope(scope.clone());
/// manager.user("42").publish(first).await?;
/// let second = Event::text("hello").with_idempotency_key("2").with_key_scope(scope);
/// let error = manager.user("42").publish(second).await.unwrap_err();
/// assert!(matches!(error, PublishError::KeysFull(_)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyLimits {
    /// Maximum number of keys of one user. Default 1,000.
    pub per_user: usize,
    /// Maximum number of keys of all users together, including anonymous callers. Default 200,000.
    pub of_users: usize,
    /// Maximum number of keys of the app and its backends together. Default 500,000.
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
    /// Sets the maximum number of keys of one user.
    #[must_use]
    pub fn per_user(mut self, keys: usize) -> Self {
        self.per_user = keys;
        self
    }

    /// Sets the maximum number of keys of all users together.
    #[must_use]
    pub fn of_users(mut self, keys: usize) -> Self {
        self.of_users = keys;
        self
    }

    /// Sets the maximum number of keys of the app and its backends together.
    #[must_use]
    pub fn of_backends(mut self, keys: usize) -> Self {
        self.of_backends = keys;
        self
    }
}

/// The error for a publish that was rejected because no further idempotency key can be remembered.
/// Nothing was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{bound}: {limit} within two minutes")]
#[non_exhaustive]
pub struct KeysFull {
    /// Bound that was reached.
    pub bound: KeyBound,
    /// Number of keys that the bound allows.
    pub limit: usize,
    /// Time to wait before a retry can succeed.
    pub retry_after: Duration,
}

/// A bound on idempotency keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum KeyBound {
    /// [`KeyLimits::per_user`]: the caller itself has published too many events with keys.
    #[error("the caller has reached the limit of publishes with a key or retry_for")]
    PerUser,
    /// [`KeyLimits::of_users`]: all users together have reached the limit.
    #[error("all users together have reached the limit of publishes with a key or retry_for")]
    OfUsers,
    /// [`KeyLimits::of_backends`]: the app and its backends together have reached the limit.
    #[error("all backends together have reached the limit of publishes with a key or retry_for")]
    OfBackends,
}

impl KeysFull {
    /// Creates the error for a bound.
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
