//! Sessions in a database (the strategy `database` of NextAuth and Auth.js).

pub(crate) mod store;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};

use crate::{
    app_error::SharedError,
    authenticator::Authenticator,
    clock::{Clock, SystemClock},
    database_sessions::store::{SessionStore, StoredSession},
    error::AuthError,
    identity::{Credential, Identity},
    request::{RequestView, candidates::Candidates},
    verdict::Verdict,
};

/// Maximum length of a session id, in bytes. A UUID has 36 bytes.
const MAX_ID: usize = 512;

/// Maximum number of ids in one request: each id can cost a database query.
const MAX_PRESENTED: usize = 4;

/// An authenticator that recognises users by an opaque session id in a cookie, which a
/// [`SessionStore`] resolves.
///
/// Results are remembered for a short while, including the result that no session exists. At most
/// one query per id is in flight at a time. Ids are remembered as SHA-256, so memory holds no
/// credentials. A clone is cheap and shares the remembered results.
///
/// A cookie with the form of an encrypted token of [`NextAuth`](crate::NextAuth) is left to the
/// next authenticator.
///
/// ```
/// use sse_auth::{
///     Authenticator, BoxError, DatabaseSessions, RequestView, SessionStore, StoredSession,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// let sessions = DatabaseSessions::new(Database);
/// let request = RequestView::new("GET").header("cookie", "authjs.session-token=5e55");
/// let identity = sessions.authenticate(&request).await?.unwrap();
/// assert_eq!(identity.user.as_deref(), Some("42"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DatabaseSessions {
    store: Arc<dyn SessionStore>,
    cookies: Arc<[String]>,
    lifetimes: Lifetimes,
    cache: Cache<[u8; 32], StoredAnswer>,
    clock: Arc<dyn Clock>,
}

/// A builder for [`DatabaseSessions`], created by [`DatabaseSessions::builder`]: cookie names, and
/// how long results are remembered.
pub struct DatabaseSessionsBuilder {
    store: Arc<dyn SessionStore>,
    cookies: Vec<String>,
    lifetimes: Lifetimes,
    capacity: u64,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone, Copy)]
struct Lifetimes {
    found: Duration,
    absent: Duration,
}

/// A result of the store, and the end of its validity on the monotonic clock.
#[derive(Clone)]
struct StoredAnswer {
    session: Result<Option<Arc<StoredSession>>, SharedError>,
    until: Duration,
}

impl DatabaseSessions {
    /// Creates an authenticator for sessions of NextAuth or Auth.js, with their default cookie
    /// names and default times.
    pub fn new(store: impl SessionStore) -> Self {
        Self::builder(store).build()
    }

    /// Returns a builder for other cookie names and times.
    pub fn builder(store: impl SessionStore) -> DatabaseSessionsBuilder {
        DatabaseSessionsBuilder {
            store: Arc::new(store),
            cookies: Vec::new(),
            lifetimes: Lifetimes {
                found: Duration::from_secs(10),
                absent: Duration::from_secs(2),
            },
            capacity: 10_000,
            clock: SystemClock::shared(),
        }
    }

    /// Removes a session from the remembered results. A sign-out on this node should call this
    /// method. Other nodes forget the session once its remembered result expires.
    pub async fn forget(&self, id: &str) {
        self.cache.invalidate(&key(id)).await;
    }

    async fn look_up(&self, id: &str) -> StoredAnswer {
        let session = self.store.find(id).await;
        let lifetime = match &session {
            Ok(Some(_)) => self.lifetimes.found,
            Ok(None) => self.lifetimes.absent,
            // Shared by the callers that waited for the result, and by no later callers.
            Err(_) => Duration::ZERO,
        };
        let until = self.clock.elapsed().saturating_add(lifetime);
        StoredAnswer {
            session: session
                .map(|session| session.map(Arc::new))
                .map_err(Into::into),
            until,
        }
    }

    async fn session(&self, id: &str) -> Result<Option<Arc<StoredSession>>, AuthError> {
        let now = self.clock.elapsed();
        let entry = self
            .cache
            .entry(key(id))
            .or_insert_with_if(self.look_up(id), |answer| answer.until <= now)
            .await;
        entry.into_value().session.map_err(AuthError::Store)
    }

    async fn identity(&self, id: &str) -> Result<Identity, AuthError> {
        if id.len() > MAX_ID {
            return Err(AuthError::TooLong { limit: MAX_ID });
        }
        let session = self.session(id).await?.ok_or(AuthError::UnknownSession)?;
        if let Some(at) = session.expires_at.filter(|at| *at <= self.clock.unix()) {
            return Err(AuthError::Expired { at });
        }
        let StoredSession {
            user,
            claims,
            expires_at,
        } = StoredSession::clone(&session);
        if user.is_empty() {
            return Err(AuthError::NoUser);
        }
        let identity = Identity::new(user, Credential::Cookie).login(id);
        Ok(identity.claims(claims).expires_at(expires_at))
    }
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[async_trait]
impl Authenticator for DatabaseSessions {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let mut ids = Candidates::at_most(MAX_PRESENTED);
        for id in self
            .cookies
            .iter()
            .flat_map(|name| request.cookie_values(name))
        {
            if !crate::next_auth::jwe::looks_like(&id) {
                ids.push(id)?;
            }
        }
        let mut verdict = Verdict::new();
        for id in ids.iter() {
            verdict.add(self.identity(id).await.map(Some))?;
        }
        verdict.finish()
    }
}

impl DatabaseSessionsBuilder {
    /// Sets the exact name of the session cookie, instead of the default names. Several calls set
    /// several names, in their order. The default names are those of
    /// [`NextAuthBuilder::cookie_name`](crate::NextAuthBuilder::cookie_name).
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookies.push(name.into());
        self
    }

    /// Sets how long a session is remembered; default 10 s. During this time, a session that was
    /// ended in the database is still valid here.
    #[must_use]
    pub fn remember_found(mut self, time: Duration) -> Self {
        self.lifetimes.found = time;
        self
    }

    /// Sets how long the absence of a session is remembered; default 2 s.
    #[must_use]
    pub fn remember_absent(mut self, time: Duration) -> Self {
        self.lifetimes.absent = time;
        self
    }

    /// Sets the maximum number of remembered results; default 10,000. Ids that are requested once,
    /// such as those of a guesser, do not evict others.
    #[must_use]
    pub fn capacity(mut self, answers: u64) -> Self {
        self.capacity = answers;
        self
    }

    /// Sets the clock; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Creates the authenticator. The store is not queried yet.
    #[must_use]
    pub fn build(self) -> DatabaseSessions {
        let defaults = || crate::next_auth::builder::default_cookie_names().collect();
        let cookies = if self.cookies.is_empty() {
            defaults()
        } else {
            self.cookies
        };
        DatabaseSessions {
            store: self.store,
            cookies: cookies.into(),
            lifetimes: self.lifetimes,
            cache: Cache::new(self.capacity),
            clock: self.clock,
        }
    }
}

impl fmt::Debug for DatabaseSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSessions")
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DatabaseSessionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSessionsBuilder")
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}
