//! Random delays, so that clients and nodes do not act at the same moment.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::sync::Mutex;

/// Pause after the first failure, and maximum pause.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A source of random delays, so that clients and nodes do not act at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Option<Mutex<StdRng>>);

impl Backoff {
    /// Creates a source of delays. With a seed, the sequence of delays is always the same.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Returns a random duration in `from..=to`.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Duration {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if from >= to {
            return from;
        }
        let range = nanos(from)..=nanos(to);
        Duration::from_nanos(match &self.0 {
            Some(seeded) => seeded.lock().random_range(range),
            None => rand::rng().random_range(range),
        })
    }

    /// Returns the pause after a number of failures in a row. The pause doubles with each failure
    /// up to a maximum, and is random between half of that value and all of it.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let longest = PAUSE
            .1
            .min(PAUSE.0 * 2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        self.between(longest / 2, longest)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_produce_equal_times() {
        let times = |seed| {
            let jitter = Backoff::new(Some(seed));
            [1, 2, 3].map(|failures| jitter.pause(failures))
        };
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let jitter = Backoff::default();
        for (failures, longest) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (6, 3200),
            (7, 5000),
            (u32::MAX, 5000),
        ] {
            let (pause, longest) = (jitter.pause(failures), Duration::from_millis(longest));
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{failures}: {pause:?}"
            );
        }
    }
}
