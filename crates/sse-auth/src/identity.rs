//! The identity of a caller.

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The identity of a caller, and the time until which the identity is valid.
///
/// ```
/// use sse_auth::{Credential, Identity};
///
/// let identity = Identity::new("42", Credential::Other).login("session-7");
/// assert_eq!(identity.user.as_deref(), Some("42"));
/// assert!(identity.login.is_some());
/// assert_eq!(identity.expires_at, None);
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// Id of the user: the claim `sub`, else `id`, else `email`. `None` for a caller that is not a
    /// user, such as a backend with an [`ApiKey`]; tokens, sessions and tickets always have a user.
    ///
    /// [`ApiKey`]: crate::ApiKey
    pub user: Option<String>,
    /// Further claims, such as those of a token.
    pub claims: Map<String, Value>,
    /// End of the identity, in Unix seconds; `None` if the credentials have no end of their own.
    /// Leeway is not added.
    pub expires_at: Option<u64>,
    /// Kind of the credential that identified the caller.
    pub credential: Credential,
    /// Identifies the sign-in of the caller: the same for all tabs of a browser, and different in
    /// each browser of a user. `None` if the credentials do not identify a sign-in, as with a
    /// backend's key.
    ///
    /// The value is a digest of the user and the token's `sid`, else of the user and the `jti`,
    /// else of the user and the whole token; or of the user and the id of a session in a database.
    /// Nothing secret can be derived from it.
    pub login: Option<[u8; 16]>,
}

/// The kind of credential that identified a caller.
///
/// ```
/// use sse_auth::Credential;
///
/// assert!(Credential::Cookie.is_ambient());
/// assert!(!Credential::Bearer.is_ambient());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credential {
    /// A cookie. Browsers also send cookies with requests that another site's page causes, so
    /// [`Origins`](crate::Origins) must check the request.
    Cookie,
    /// A token in `Authorization: Bearer`.
    Bearer,
    /// A one-time ticket in the query.
    Ticket,
    /// A credential of the app's own that a foreign page cannot make a browser send.
    Other,
}

impl Identity {
    /// Creates the identity of a user, without claims or end.
    #[must_use]
    pub fn new(user: impl Into<String>, credential: Credential) -> Self {
        Self {
            user: Some(user.into()),
            claims: Map::new(),
            expires_at: None,
            credential,
            login: None,
        }
    }

    /// Creates the identity of a caller that is not a user.
    #[must_use]
    pub fn without_user(credential: Credential) -> Self {
        Self {
            user: None,
            claims: Map::new(),
            expires_at: None,
            credential,
            login: None,
        }
    }

    /// Sets further claims.
    #[must_use]
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// Sets the sign-in from a value that stays the same until the user signs out, such as the id
    /// of a session. Only a digest of the user and the value is kept.
    #[must_use]
    pub fn login(mut self, session: impl AsRef<[u8]>) -> Self {
        let user = self.user.as_deref().unwrap_or_default();
        let digest = Sha256::new()
            .chain_update((user.len() as u64).to_be_bytes())
            .chain_update(user)
            .chain_update(session.as_ref())
            .finalize();
        self.login = digest.first_chunk().copied();
        self
    }

    /// Sets the end of the identity, in Unix seconds.
    #[must_use]
    pub fn expires_at(mut self, expires_at: impl Into<Option<u64>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }
}

impl Credential {
    /// Returns `true` if browsers send the credential automatically, even when a foreign page makes
    /// the request.
    #[must_use]
    pub fn is_ambient(self) -> bool {
        self == Self::Cookie
    }
}

/// Omits the values of claims, because sites store access tokens for other services in claims.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            claims,
            expires_at,
            credential,
            login,
        } = self;
        let claims: Vec<_> = claims.keys().collect();
        f.debug_struct("Identity")
            .field("user", user)
            .field("claims", &claims)
            .field("expires_at", expires_at)
            .field("credential", credential)
            .field(
                "login",
                &login
                    .map(u128::from_be_bytes)
                    .map(|login| format!("{login:032x}")),
            )
            .finish()
    }
}
