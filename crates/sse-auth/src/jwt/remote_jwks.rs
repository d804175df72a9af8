//! Published keys, which change over time.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    error::AuthError,
    jwt::{fetch::FetchJwks, jwks::Jwks, jwks_error::JwksError},
};

/// Delay before the first retry after a failure. The delay doubles with every further failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// The keys that an issuer publishes, kept up to date. A clone is cheap and shares the keys.
///
/// - Keys are loaded when first needed, and again once they are older than
///   [`refresh`](crate::RemoteJwksBuilder::refresh) (10 min). The first caller after that time
///   starts the load. No caller waits, because the known keys stay in use until the new ones have
///   arrived.
/// - A token that no known key verifies starts a load at once, except within
///   [`cooldown`](crate::RemoteJwksBuilder::cooldown) (30 s) of the last load: not every forged
///   token must become a request to the issuer.
/// - At most one load is in flight at a time, in a task of its own that no caller can cancel. All
///   callers that need the keys wait for the load. The load is aborted after
///   [`timeout`](crate::RemoteJwksBuilder::timeout) (10 s).
/// - After a failure, the next attempt follows after 1 s, then 2 s, 4 s, up to 5 min. Known keys
///   stay in use meanwhile, until they are [`max_age`](crate::RemoteJwksBuilder::max_age) (24 h)
///   old.
///
/// A Tokio runtime with timers is required.
///
/// ```
/// use sse_auth::{Jwt, JwksFile, RemoteJwks};
///
/// // The file is read when the first token arrives, and again after ten minutes.
/// let keys = RemoteJwks::new(JwksFile::new("jwks.json"));
/// let jwt = Jwt::builder().remote(keys).audience("sse").build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RemoteJwks {
    inner: Arc<JwksInner>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) refresh: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_age: Duration,
}

struct JwksInner {
    fetch: Box<dyn FetchJwks>,
    clock: Arc<dyn Clock>,
    times: Intervals,
    state: Mutex<KeySetState>,
}

#[derive(Default)]
struct KeySetState {
    /// The known keys, with the time at which they were loaded.
    known: Option<(Arc<Jwks>, Duration)>,
    /// The time at which the last load ended.
    tried: Option<Duration>,
    failures: u32,
    error: Option<Arc<JwksError>>,
    /// Closed when the load in flight ends.
    in_flight: Option<watch::Receiver<()>>,
}

impl RemoteJwks {
    pub(crate) fn from_parts(
        fetch: Box<dyn FetchJwks>,
        clock: Arc<dyn Clock>,
        times: Intervals,
    ) -> Self {
        Self {
            inner: Arc::new(JwksInner {
                fetch,
                clock,
                times,
                state: Mutex::default(),
            }),
        }
    }

    /// Loads the keys now, so that a start can fail early and the first caller does not wait.
    ///
    /// # Errors
    ///
    /// Returns an error if the keys cannot be loaded. The app can continue nevertheless: the load
    /// is retried when the keys are needed.
    pub async fn load(&self) -> Result<(), Arc<JwksError>> {
        let load = self.load_in_flight().unwrap_or_else(|| self.start());
        finished(load).await;
        self.inner.state.lock().error.clone().map_or(Ok(()), Err)
    }

    /// Returns the first result of `find`, applied to the known set or to a newer one.
    pub(crate) async fn find<T>(
        &self,
        find: impl Fn(&Jwks) -> Result<T, AuthError>,
    ) -> Result<T, AuthError> {
        let known = self.known();
        let missing = match known.as_deref().map(&find) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(missing)) => Some(missing),
            None => None,
        };
        let Some(load) = self.load_if_due() else {
            return Err(missing.unwrap_or_else(|| self.unavailable()));
        };
        finished(load).await;
        match self.known() {
            Some(keys) => find(&keys),
            None => Err(self.unavailable()),
        }
    }

    /// Returns the keys that can be used. Starts a load if the keys are older than the refresh
    /// interval.
    fn known(&self) -> Option<Arc<Jwks>> {
        let now = self.inner.clock.elapsed();
        let (keys, age) = {
            let state = self.inner.state.lock();
            let (keys, loaded) = state.known.as_ref()?;
            (keys.clone(), now.saturating_sub(*loaded))
        };
        if age >= self.inner.times.refresh {
            drop(self.load_if_due());
        }
        if age < self.inner.times.max_age {
            Some(keys)
        } else {
            None
        }
    }

    /// Returns the load in flight, or a new load if one is due.
    fn load_if_due(&self) -> Option<watch::Receiver<()>> {
        let due = {
            let state = self.inner.state.lock();
            if state.in_flight.is_some() {
                return state.in_flight.clone();
            }
            state.is_due(self.inner.clock.elapsed(), self.inner.times)
        };
        if due { Some(self.start()) } else { None }
    }

    fn load_in_flight(&self) -> Option<watch::Receiver<()>> {
        self.inner.state.lock().in_flight.clone()
    }

    /// Starts a load, unless another load has just been started.
    fn start(&self) -> watch::Receiver<()> {
        let mut state = self.inner.state.lock();
        if let Some(load) = &state.in_flight {
            return load.clone();
        }
        let (ended, load) = watch::channel(());
        state.in_flight = Some(load.clone());
        drop(state);
        let guard = Load {
            inner: self.inner.clone(),
            outcome: None,
            _ended: ended,
        };
        tokio::spawn(guard.run());
        load
    }

    fn unavailable(&self) -> AuthError {
        let error = self.inner.state.lock().error.clone();
        AuthError::Keys(error.unwrap_or_else(|| Arc::new(JwksError::BrokenOff)))
    }
}

/// Waits for the end of a load, at which the sender is dropped.
async fn finished(mut load: watch::Receiver<()>) {
    while load.changed().await.is_ok() {}
}

impl KeySetState {
    fn is_due(&self, now: Duration, times: Intervals) -> bool {
        let wait = match self.failures {
            0 => times.cooldown,
            failures => LONGEST_RETRY.min(FIRST_RETRY * 2_u32.saturating_pow(failures - 1)),
        };
        self.tried
            .is_none_or(|tried| now.saturating_sub(tried) >= wait)
    }
}

/// A load in flight, which records its end even if its task is dropped.
struct Load {
    inner: Arc<JwksInner>,
    outcome: Option<Result<Jwks, JwksError>>,
    _ended: watch::Sender<()>,
}

impl Load {
    async fn run(mut self) {
        let limit = self.inner.times.timeout;
        self.outcome = Some(
            match tokio::time::timeout(limit, self.inner.fetch.fetch()).await {
                Ok(Ok(text)) => Jwks::public(&text).map_err(JwksError::Set),
                Ok(Err(error)) => Err(JwksError::Fetch(error)),
                Err(_) => Err(JwksError::Timeout(limit)),
            },
        );
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let now = self.inner.clock.elapsed();
        let outcome = self.outcome.take().unwrap_or(Err(JwksError::BrokenOff));
        let mut state = self.inner.state.lock();
        state.in_flight = None;
        state.tried = Some(now);
        match outcome {
            Ok(keys) => {
                state.known = Some((Arc::new(keys), now));
                (state.failures, state.error) = (0, None);
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    failures = state.failures,
                    "failed to load the keys"
                );
                state.error = Some(Arc::new(error));
            }
        }
    }
}

impl fmt::Debug for RemoteJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.inner.state.lock().known.is_some();
        f.debug_struct("RemoteJwks")
            .field("known", &known)
            .field("times", &self.inner.times)
            .finish_non_exhaustive()
    }
}
