//! Time, with the resolution that the manager needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A duration longer than the life of any process, and short enough to be added to a point in time.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Returns the time in milliseconds since the Unix epoch, the unit of all timestamps in events.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A monotonic clock that starts when the manager is built. In tests it follows the paused clock of
/// tokio.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MonotonicClock {
    start: Instant,
}

/// Milliseconds since the manager was built, wrapping after 49 days. Only differences are
/// meaningful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Millis(u32);

impl MonotonicClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        Millis::of(self.uptime_ms())
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Millis {
    #[expect(clippy::cast_possible_truncation, reason = "wraps by design")]
    pub(crate) fn of(uptime_ms: u64) -> Self {
        Self(uptime_ms as u32)
    }

    /// Returns the time since `earlier`, or zero if `earlier` is not earlier.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let difference = self.0.wrapping_sub(earlier.0);
        Duration::from_millis(if difference > u32::MAX / 2 {
            0
        } else {
            difference.into()
        })
    }
}

/// Converts an uptime of the manager to the time that log records store.
pub(crate) fn log_time(uptime_ms: u64) -> u64 {
    BEFORE_START_MS + uptime_ms
}

/// Log time at which the manager starts. Ten years leave room for records that are older than the
/// manager.
const BEFORE_START_MS: u64 = 3650 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_survive_the_wrap() {
        assert_eq!(
            Millis(5).since(Millis(u32::MAX - 4)),
            Duration::from_millis(10)
        );
        assert_eq!(Millis(5).since(Millis(9)), Duration::ZERO);
    }
}
