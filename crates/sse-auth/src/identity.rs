//! Who is asking, as it was found out.

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Who is asking, and how long that holds.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The user: the claim `sub`, else `id`, else `email`. `None` for a caller that is no user,
    /// such as a backend with an [`ApiKey`]; tokens, sessions and tickets always have one.
    ///
    /// [`ApiKey`]: crate::ApiKey
    pub user: Option<String>,
    /// What else is known, as the claims of a token.
    pub claims: Map<String, Value>,
    /// Until when it holds, in Unix seconds; `None` when the credentials have no end of their own.
    /// Leeway is not added.
    pub expires_at: Option<u64>,
    /// By what the caller was recognised.
    pub credential: Credential,
    /// By which signing in the caller comes: the same for all tabs of a browser, and another one in
    /// each browser of a user's. `None` where nothing tells, as of a backend's key.
    ///
    /// A digest of the user and the token's `sid`, else its `jti`, else of the whole token; or of
    /// the id of a session in a database. Nothing secret can be read out of it.
    pub login: Option<[u8; 16]>,
}

/// The kind of credential by which a caller was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credential {
    /// A cookie: the browser sends it whoever makes it send the request, so
    /// [`Origins`](crate::Origins) must be asked.
    Cookie,
    /// A token in `Authorization: Bearer`.
    Bearer,
    /// A one-time ticket in the query.
    Ticket,
    /// Something of the app's own that a foreign page cannot make a browser send.
    Other,
}

impl Identity {
    /// A user without claims or end.
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

    /// A caller that is no user.
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

    /// What else is known.
    #[must_use]
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// Says what stays the same as long as the user is signed in there, such as the id of a
    /// session. It is kept as a digest, together with the user.
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

    /// Until when it holds, in Unix seconds.
    #[must_use]
    pub fn expires_at(mut self, expires_at: impl Into<Option<u64>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }
}

impl Credential {
    /// Whether browsers send it by themselves, also when a foreign page makes the request.
    #[must_use]
    pub fn is_ambient(self) -> bool {
        self == Self::Cookie
    }
}

/// Without the values of claims: sites keep access tokens of others in there.
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
