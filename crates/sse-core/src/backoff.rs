//! Delays between attempts.

use std::time::Duration;

use crate::jitter::Jitter;

/// Delays between attempts that fail, used by managers and backplanes.
///
/// The upper bound of the delay doubles with each failure in a row, up to a maximum. The delay is
/// random between half of the bound and the bound, so that nodes that lost a server at the same
/// moment do not return to it at the same moment.
///
/// ```
/// use std::time::Duration;
/// use sse_core::backplane::Backoff;
///
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// let delay = backoff.delay(3);
/// assert!(delay >= Duration::from_millis(200) && delay <= Duration::from_millis(400));
/// assert!(backoff.delay(u32::MAX) <= Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Creates delays of at most `first` after one failure, and of at most `longest` after any
    /// number of failures.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// Returns the delay after a number of failures in a row. Zero counts as one failure.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        self.delay_with(failures, &Jitter::default())
    }

    pub(crate) fn delay_with(&self, failures: u32, jitter: &Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let most = self.first.saturating_mul(1 << doublings).min(self.longest);
        jitter.between(most / 2, most)
    }
}

/// Delays between the manager's attempts to use its backplane.
const BACKPLANE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

impl Jitter {
    /// Returns the pause after a number of failures in a row of the manager's backplane.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        BACKPLANE.delay_with(failures, self)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_limit_and_differ() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        for (failures, most) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (6, 3200),
            (7, 5000),
            (u32::MAX, 5000),
        ] {
            let most = Duration::from_millis(most);
            let delays: Vec<_> = (0..64).map(|_| backoff.delay(failures)).collect();
            assert!(
                delays.iter().all(|delay| (most / 2..=most).contains(delay)),
                "{failures}: {delays:?}"
            );
            assert!(delays.iter().any(|delay| *delay != delays[0]));
        }
        let endless = Backoff::new(Duration::MAX, Duration::MAX);
        assert!(endless.delay(9) > Duration::from_hours(1));
    }
}
