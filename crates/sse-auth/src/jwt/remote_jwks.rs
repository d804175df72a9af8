//! Published keys that change.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    error::AuthError,
    jwt::{fetch::FetchJwks, jwks::Jwks, jwks_error::JwksError},
};

/// After a failure it is tried again after this long, then after twice as long, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// The keys that an issuer publishes, kept up to date. A clone is cheap and shares them.
///
/// - They are loaded when first needed, and again when they are older than
///   [`refresh`](crate::RemoteJwksBuilder::refresh) (10 min): whoever notices starts it, and nobody
///   waits, since the known keys are used until the new ones are there.
/// - A token that asks for an unknown key has them loaded at once, but not within
///   [`cooldown`](crate::RemoteJwksBuilder::cooldown) (30 s) of the last time: forged ids must not
///   become requests to the issuer.
/// - One load at a time, in a task of its own that no caller can cancel; all who need it wait for
///   it. It is given up after [`timeout`](crate::RemoteJwksBuilder::timeout) (10 s).
/// - After failures it waits 1 s, 2 s, 4 s, up to 5 min, before the next try. Meanwhile known keys
///   stay in use, until they are [`max_age`](crate::RemoteJwksBuilder::max_age) (24 h) old.
///
/// Needs a Tokio runtime with timers, as servers have it.
#[derive(Clone)]
pub struct RemoteJwks {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) refresh: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_age: Duration,
}

struct Inner {
    fetch: Box<dyn FetchJwks>,
    clock: Arc<dyn Clock>,
    times: Intervals,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With the time at which they were loaded.
    known: Option<(Arc<Jwks>, Duration)>,
    /// When the last load ended.
    tried: Option<Duration>,
    failures: u32,
    error: Option<Arc<JwksError>>,
    /// Changes when the load under way ends.
    under_way: Option<watch::Receiver<()>>,
}

impl RemoteJwks {
    pub(crate) fn from_parts(
        fetch: Box<dyn FetchJwks>,
        clock: Arc<dyn Clock>,
        times: Intervals,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
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
    /// When they cannot be loaded. The app may go on all the same: they are tried again when
    /// needed.
    pub async fn load(&self) -> Result<(), Arc<JwksError>> {
        let load = self.load_under_way().unwrap_or_else(|| self.start());
        finished(load).await;
        self.inner.state.lock().error.clone().map_or(Ok(()), Err)
    }

    /// The first set in which `find` finds something: that which is known, or a newer one.
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

    /// The keys that may be used. Has them loaded when they grow old.
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

    /// The load under way, or a new one if it is time.
    fn load_if_due(&self) -> Option<watch::Receiver<()>> {
        let due = {
            let state = self.inner.state.lock();
            if state.under_way.is_some() {
                return state.under_way.clone();
            }
            state.is_due(self.inner.clock.elapsed(), self.inner.times)
        };
        if due { Some(self.start()) } else { None }
    }

    fn load_under_way(&self) -> Option<watch::Receiver<()>> {
        self.inner.state.lock().under_way.clone()
    }

    /// Starts a load, unless another one was started just now.
    fn start(&self) -> watch::Receiver<()> {
        let mut state = self.inner.state.lock();
        if let Some(load) = &state.under_way {
            return load.clone();
        }
        let (ended, load) = watch::channel(());
        state.under_way = Some(load.clone());
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

/// The sender is dropped at the end, which is what is waited for.
async fn finished(mut load: watch::Receiver<()>) {
    while load.changed().await.is_ok() {}
}

impl State {
    fn is_due(&self, now: Duration, times: Intervals) -> bool {
        let wait = match self.failures {
            0 => times.cooldown,
            failures => LONGEST_RETRY.min(FIRST_RETRY * 2_u32.saturating_pow(failures - 1)),
        };
        self.tried
            .is_none_or(|tried| now.saturating_sub(tried) >= wait)
    }
}

/// A load under way. Whatever happens to it, its end is noted.
struct Load {
    inner: Arc<Inner>,
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
        state.under_way = None;
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
                    "the keys cannot be loaded"
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
