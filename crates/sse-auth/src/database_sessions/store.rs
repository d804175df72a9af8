//! The store of sessions in a database.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::app_error::BoxError;

/// Finds sessions in the app's database by the opaque id in their cookie.
///
/// ```
/// use sse_auth::{BoxError, DatabaseSessions, SessionStore, StoredSession};
///
/// struct Database;
///
/// #[async_trait::async_trait]
/// impl SessionStore for Database {
///     async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError> {
///         // SELECT user_id, expires FROM sessions WHERE session_token = $1
///         Ok((id == "5e55").then(|| StoredSession::new("42")))
///     }
/// }
///
/// let sessions = DatabaseSessions::builder(Database).cookie_name("session").build();
/// ```
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Returns the session with this id, expired or not; `None` if no such session exists.
    ///
    /// The id comes from outside: pass the id as a parameter, never as part of a query's text. At
    /// most one call per id is in flight at a time. The future is dropped when the only caller that
    /// waits for it disconnects.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be queried. Callers are then asked to retry later,
    /// and nothing is remembered.
    async fn find(&self, id: &str) -> Result<Option<StoredSession>, BoxError>;
}

/// A session, as stored in a database.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredSession {
    /// Id of the user.
    pub user: String,
    /// Further claims about the user.
    pub claims: Map<String, Value>,
    /// End of the session, in Unix seconds.
    pub expires_at: Option<u64>,
}

impl StoredSession {
    /// Creates a session of a user, without claims or end.
    #[must_use]
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            claims: Map::new(),
            expires_at: None,
        }
    }

    /// Sets further claims about the user.
    #[must_use]
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// Sets the end of the session, in Unix seconds.
    #[must_use]
    pub fn expires_at(mut self, expires_at: impl Into<Option<u64>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }
}

/// Omits the values of claims, as the debug output of an [`Identity`](crate::Identity) does.
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
