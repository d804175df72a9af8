//! Settings for signed tokens.

use std::{sync::Arc, time::Duration};

use crate::{
    claims::{Expiry, Times},
    clock::{Clock, SystemClock},
    jwt::{Jwt, jwks::Jwks, key::Key, key_error::KeyError, remote_jwks::RemoteJwks},
};

/// A builder for [`Jwt`], created by [`Jwt::builder`].
#[derive(Debug, Clone)]
pub struct JwtBuilder {
    keys: Jwks,
    remotes: Vec<RemoteJwks>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: Duration,
    expiry: Expiry,
    cookies: Vec<String>,
    max_length: usize,
    clock: Option<Arc<dyn Clock>>,
}

impl Default for JwtBuilder {
    fn default() -> Self {
        Self {
            keys: Jwks::default(),
            remotes: Vec::new(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(15),
            expiry: Expiry::Required,
            cookies: Vec::new(),
            max_length: 16 * 1024,
            clock: None,
        }
    }
}

impl Jwt {
    /// Returns a builder for an authenticator that accepts tokens signed with one of several keys.
    pub fn builder() -> JwtBuilder {
        JwtBuilder::default()
    }
}

impl JwtBuilder {
    /// Adds a key.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds the keys of a set.
    #[must_use]
    pub fn jwks(mut self, keys: Jwks) -> Self {
        self.keys.extend(keys);
        self
    }

    /// Adds the keys that an issuer publishes.
    #[must_use]
    pub fn remote(mut self, keys: RemoteJwks) -> Self {
        self.remotes.push(keys);
        self
    }

    /// Adds an accepted `iss`. With at least one of them, a token without an accepted `iss` is
    /// refused. Default: any.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Adds an accepted `aud`. With at least one of them, a token without an accepted `aud` is
    /// refused. Default: any. Keys that also sign tokens for other sites, such as those of every
    /// public provider, need an audience. Without it, a token that a user gave to another site is
    /// valid here.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the maximum difference between clocks, in whole seconds; default 15 s.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Accepts tokens without `exp`, which never expire. Default: such tokens are refused.
    #[must_use]
    pub fn exp_optional(mut self) -> Self {
        self.expiry = Expiry::Optional;
        self
    }

    /// Also reads tokens from this cookie; default: from no cookie. Several calls add several
    /// cookies.
    #[must_use]
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.cookies.push(name.into());
        self
    }

    /// Sets the maximum length of a token in bytes; default 16 KiB.
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }

    /// Sets the clock; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Creates the authenticator. Published keys are not loaded yet.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::NoKey`] if no key was added.
    pub fn build(self) -> Result<Jwt, KeyError> {
        if self.keys.is_empty() && self.remotes.is_empty() {
            return Err(KeyError::NoKey);
        }
        Ok(Jwt {
            keys: self.keys,
            remotes: self.remotes,
            issuers: self.issuers,
            audiences: self.audiences,
            times: Times {
                leeway: self.leeway.as_secs(),
                expiry: self.expiry,
            },
            cookies: self.cookies,
            max_length: self.max_length,
            clock: self.clock.unwrap_or_else(SystemClock::shared),
        })
    }
}
