//! Settings for published keys.

use std::{fmt, sync::Arc, time::Duration};

#[cfg(feature = "jwks-http")]
use crate::jwt::http_fetch::{HttpFetch, HttpFetchError};
use crate::{
    clock::{Clock, SystemClock},
    jwt::{
        fetch::FetchJwks,
        remote_jwks::{Intervals, RemoteJwks},
    },
};

/// A builder for [`RemoteJwks`], created by [`RemoteJwks::builder`].
pub struct RemoteJwksBuilder {
    fetch: Box<dyn FetchJwks>,
    clock: Arc<dyn Clock>,
    times: Intervals,
}

impl RemoteJwks {
    /// Creates a source of keys at an HTTPS URL.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not an HTTPS URL (HTTP is for loopback only), or if the
    /// certificates of the system cannot be loaded.
    #[cfg(feature = "jwks-http")]
    pub fn http(url: &str) -> Result<Self, HttpFetchError> {
        Ok(Self::new(HttpFetch::new(url)?))
    }

    /// Creates a source of keys from a fetcher: [`HttpFetch`](crate::HttpFetch),
    /// [`JwksFile`](crate::JwksFile), or the app's own.
    pub fn new(fetch: impl FetchJwks) -> Self {
        Self::builder(fetch).build()
    }

    /// Returns a builder for other intervals.
    pub fn builder(fetch: impl FetchJwks) -> RemoteJwksBuilder {
        RemoteJwksBuilder::new(fetch)
    }
}

impl RemoteJwksBuilder {
    pub(crate) fn new(fetch: impl FetchJwks) -> Self {
        let times = Intervals {
            refresh: Duration::from_secs(600),
            cooldown: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            max_age: Duration::from_secs(24 * 3600),
        };
        Self {
            fetch: Box::new(fetch),
            clock: SystemClock::shared(),
            times,
        }
    }

    /// Sets the age from which keys are loaded again; default 10 min.
    #[must_use]
    pub fn refresh(mut self, age: Duration) -> Self {
        self.times.refresh = age;
        self
    }

    /// Sets the minimum interval between two successful loads; default 30 s.
    #[must_use]
    pub fn cooldown(mut self, time: Duration) -> Self {
        self.times.cooldown = time;
        self
    }

    /// Sets the timeout for a load; default 10 s.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.times.timeout = time;
        self
    }

    /// Sets the age from which keys are no longer used if no newer keys can be loaded; default 24
    /// h.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.times.max_age = age;
        self
    }

    /// Sets the clock; default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Creates the source. Nothing is loaded yet.
    #[must_use]
    pub fn build(self) -> RemoteJwks {
        RemoteJwks::from_parts(self.fetch, self.clock, self.times)
    }
}

impl fmt::Debug for RemoteJwksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJwksBuilder")
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}
