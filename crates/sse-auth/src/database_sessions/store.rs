//! Where sessions are that live in a database.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::app_error::BoxError;

/// Looks up sessions by the opaque id in their cookie: the app's database.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// The session with this id, expired or not; `None` when there is none.
    ///
    /// The id comes from outside: pass it as a parameter, never as part of a query's text. Called
    /// once at a time for one id; dropped when the only caller that waits for it goes away.
    ///
    /// # Errors
    ///
    /// When the database cannot be asked. Callers are then told to come back later, and nothing is
    /// remembered.
    async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError>;
}

/// A session, as a database has it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredSession {
    /// The user.
    pub user: String,
    /// What else is known of the user.
    pub claims: Map<String, Value>,
    /// When the session ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

impl StoredSession {
    /// A session of a user, without claims or end.
    #[must_use]
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            claims: Map::new(),
            expires_at: None,
        }
    }

    /// What else is known of the user.
    #[must_use]
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// When the session ends, in Unix seconds.
    #[must_use]
    pub fn expires_at(mut self, expires_at: impl Into<Option<u64>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }
}

/// Without the values of claims, as that of an [`Identity`](crate::Identity).
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims: Vec<_> = self.claims.keys().collect();
        let mut session = f.debug_struct("StoredSession");
        session
            .field("user", &self.user)
            .field("claims", &claims)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
