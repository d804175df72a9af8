//! Settings for sessions of NextAuth.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    claims::{Expiry, Times},
    clock::{Clock, SystemClock},
    jwt::key_error::KeyError,
    next_auth::{NextAuth, OpaqueIds, SessionCookie, key_derivation::SessionKey},
    secret::Secret,
};

/// Minimum length of a secret, in bytes. Auth.js recommends 32 random bytes. A secret with fewer
/// than half of them can be guessed offline from one session cookie.
const MIN_SECRET: usize = 16;

/// Maximum number of secrets, and of cookie names. More of them are a mistake, and each costs work
/// for every forged token.
const MAX: usize = 8;

/// A builder for [`NextAuth`], created by [`NextAuth::builder`].
#[derive(Clone)]
pub struct NextAuthBuilder {
    secrets: Vec<Secret>,
    versions: Vec<NextAuthVersion>,
    names: Vec<String>,
    leeway: Duration,
    expiry: Expiry,
    opaque_ids: OpaqueIds,
    clock: Option<Arc<dyn Clock>>,
}

/// The library whose cookies are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextAuthVersion {
    /// NextAuth v4: `next-auth.session-token`.
    V4,
    /// Auth.js v5 (`next-auth@5`, `@auth/*`): `authjs.session-token`.
    V5,
}

impl Default for NextAuthBuilder {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            versions: Vec::new(),
            names: Vec::new(),
            leeway: Duration::from_secs(15),
            expiry: Expiry::Optional,
            opaque_ids: OpaqueIds::Refused,
            clock: None,
        }
    }
}

impl NextAuth {
    /// Returns a builder for an authenticator of sessions that are encrypted with a secret:
    /// `NEXTAUTH_SECRET` or `AUTH_SECRET`.
    pub fn builder() -> NextAuthBuilder {
        NextAuthBuilder::default()
    }
}

impl NextAuthBuilder {
    /// Adds a secret of the site, of at least 16 bytes. Add the old secrets too while the site
    /// rotates them. One to eight secrets are required.
    #[must_use]
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets.push(Secret::new(secret.as_ref()));
        self
    }

    /// Accepts only cookies of this version (several calls: of several versions); default: cookies
    /// of both versions.
    #[must_use]
    pub fn version(mut self, version: NextAuthVersion) -> Self {
        self.versions.push(version);
        self
    }

    /// Sets the exact name of the site's session cookie, with its prefix, instead of the default
    /// names. Several calls set several names, up to 8.
    ///
    /// The default names are those of v5 and of v4, each with `__Host-`, with `__Secure-` and
    /// plain. A site that is served over HTTPS uses `__Secure-`. Setting that name alone excludes a
    /// plain cookie that a sibling subdomain may have set.
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Sets the maximum difference between clocks, in whole seconds; default 15 s, as in both
    /// libraries.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refuses sessions without `exp`. NextAuth itself accepts them, and so does the default.
    #[must_use]
    pub fn require_exp(mut self) -> Self {
        self.expiry = Expiry::Required;
        self
    }

    /// Leaves session cookies that are not encrypted tokens to the next authenticator, which is
    /// [`DatabaseSessions`](crate::DatabaseSessions) if a site moves from one strategy to the
    /// other. Default: such cookies are refused.
    #[must_use]
    pub fn pass_opaque_ids(mut self) -> Self {
        self.opaque_ids = OpaqueIds::Passed;
        self
    }

    /// Sets the clock; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Creates the authenticator, and derives its keys.
    ///
    /// # Errors
    ///
    /// Returns an error without a secret, with a secret that is empty or has fewer than 16 bytes,
    /// and with more than 8 secrets or names.
    pub fn build(self) -> Result<NextAuth, KeyError> {
        if self.secrets.is_empty() || self.secrets.iter().any(|secret| secret.bytes().is_empty()) {
            return Err(KeyError::NoSecret);
        }
        if let Some(length) = self
            .secrets
            .iter()
            .map(|secret| secret.bytes().len())
            .find(|it| *it < MIN_SECRET)
        {
            return Err(KeyError::TooShort {
                length,
                least: MIN_SECRET,
            });
        }
        if self.secrets.len() > MAX || self.names.len() > MAX {
            return Err(KeyError::TooMany { limit: MAX });
        }
        Ok(NextAuth {
            cookies: self.cookies(),
            times: Times {
                leeway: self.leeway.as_secs(),
                expiry: self.expiry,
            },
            opaque_ids: self.opaque_ids,
            clock: self.clock.unwrap_or_else(SystemClock::shared),
        })
    }

    fn cookies(&self) -> Vec<SessionCookie> {
        let versions = if self.versions.is_empty() {
            &NextAuthVersion::ALL[..]
        } else {
            &self.versions
        };
        if self.names.is_empty() {
            let named =
                |version: &NextAuthVersion| version.cookie_names().map(|name| (name, *version));
            return versions
                .iter()
                .flat_map(named)
                .map(|(name, version)| self.cookie(name, &[version]))
                .collect();
        }
        self.names
            .iter()
            .map(|name| self.cookie(name.clone(), versions))
            .collect()
    }

    fn cookie(&self, name: String, versions: &[NextAuthVersion]) -> SessionCookie {
        let secrets = self.secrets.iter();
        let keys = secrets
            .flat_map(|secret| {
                versions
                    .iter()
                    .flat_map(|version| version.keys(secret, &name))
            })
            .collect();
        SessionCookie { name, keys }
    }
}

/// Returns the names of v5 and then of v4, each with `__Host-`, with `__Secure-` and plain.
pub(crate) fn default_cookie_names() -> impl Iterator<Item = String> {
    NextAuthVersion::ALL
        .into_iter()
        .flat_map(NextAuthVersion::cookie_names)
}

impl NextAuthVersion {
    const ALL: [Self; 2] = [Self::V5, Self::V4];

    fn cookie_names(self) -> [String; 3] {
        let name = match self {
            Self::V4 => "next-auth.session-token",
            Self::V5 => "authjs.session-token",
        };
        ["__Host-", "__Secure-", ""].map(|prefix| format!("{prefix}{name}"))
    }

    fn keys(self, secret: &Secret, cookie: &str) -> Vec<SessionKey> {
        match self {
            Self::V4 => vec![SessionKey::v4(secret)],
            Self::V5 => SessionKey::v5(secret, cookie).into(),
        }
    }
}

impl fmt::Debug for NextAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextAuthBuilder")
            .field("secrets", &self.secrets.len())
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
