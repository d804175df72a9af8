//! Clocks.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

/// A source of time; tests use a [`ManualClock`].
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Returns the seconds since the Unix epoch, with which the times in tokens are compared.
    fn unix(&self) -> u64;

    /// Returns the time since a fixed moment, which never decreases. Ages of tickets and of cached
    /// results are measured with this time.
    fn elapsed(&self) -> Duration;
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

/// A clock that is set by hand. Clones are the same clock.
///
/// ```
/// use std::time::Duration;
///
/// use sse_auth::{Credential, Identity, ManualClock, Tickets};
///
/// let clock = ManualClock::at(1_700_000_000);
/// let tickets = Tickets::builder().clock(clock.clone()).build();
/// let ticket = tickets.issue(&Identity::new("42", Credential::Bearer))?;
///
/// clock.advance(Duration::from_secs(31));
/// assert!(tickets.take(ticket.as_str()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Creates a clock that stands at a time, in Unix seconds.
    #[must_use]
    pub fn at(unix: u64) -> Self {
        Self {
            now: Arc::new(Mutex::new((Duration::from_secs(unix), Duration::ZERO))),
        }
    }

    /// Moves the clock forward.
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
