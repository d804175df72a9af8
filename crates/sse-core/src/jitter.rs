//! Random durations, so that clients and nodes do not act at the same moment.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::sync::Mutex;

/// A source of random durations.
#[derive(Debug, Default)]
pub(crate) struct Jitter(Option<Mutex<StdRng>>);

impl Jitter {
    /// Creates a source of durations. With a seed, their sequence is always the same.
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
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_durations() {
        let pauses = |seed| {
            let jitter = Jitter::new(Some(seed));
            [1, 2, 3].map(|most| jitter.between(Duration::ZERO, Duration::from_secs(most)))
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }
}
