//! What time it is.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

/// What time it is; tests bring a [`ManualClock`].
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Seconds since the Unix epoch, against which the times in tokens are held.
    fn unix(&self) -> u64;

    /// Time since some fixed moment; never goes back. Ages of tickets and of what is cached are
    /// measured with it.
    fn elapsed(&self) -> Duration;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

/// A clock that is set by hand. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<(Duration, Duration)>>,
}

impl SystemClock {
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::default())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn unix(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl ManualClock {
    /// A clock that stands at a time, in Unix seconds.
    #[must_use]
    pub fn at(unix: u64) -> Self {
        Self {
            now: Arc::new(Mutex::new((Duration::from_secs(unix), Duration::ZERO))),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        now.0 += by;
        now.1 += by;
    }
}

impl Clock for ManualClock {
    fn unix(&self) -> u64 {
        self.now.lock().0.as_secs()
    }

    fn elapsed(&self) -> Duration {
        self.now.lock().1
    }
}
