//! The delay before the next attempt.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

/// The shortest delay, even if a shorter one is requested.
const SHORTEST: Duration = Duration::from_millis(20);

/// The longest delay that a server can request.
const LONGEST: Duration = Duration::from_hours(1);

/// The inputs of a delay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DelayInputs {
    /// Failures in a row, including this one.
    pub(crate) failures: u32,
    /// The longest delay after a first failure.
    pub(crate) base: Duration,
    /// The longest delay of all.
    pub(crate) most: Duration,
    /// Delay that the server requested with `retry:`.
    pub(crate) retry: Option<Duration>,
    /// Delay that the server requested with `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

impl DelayInputs {
    /// Draws the delay as the browser client does (`delay.js` of `sse-browser`). The delay is never
    /// below the server's request, since the server may have spread its clients over that time. Up
    /// to a quarter is added, since the server may have sent the same value to all of them.
    pub(crate) fn draw(self, random: &mut StdRng) -> Duration {
        let asked = self
            .retry_after
            .or(self.retry.filter(|_| self.failures <= 1));
        if let Some(asked) = asked {
            return asked
                .min(LONGEST)
                .mul_f64(1.0 + random.random_range(0.0..0.25))
                .max(SHORTEST);
        }
        let base = self.retry.unwrap_or(self.base).min(LONGEST);
        let doubled = base.saturating_mul(2_u32.saturating_pow(self.failures.saturating_sub(1)));
        doubled
            .min(self.most)
            .mul_f64(random.random_range(0.0..1.0))
            .max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const FIRST: DelayInputs = DelayInputs {
        failures: 1,
        base: Duration::from_secs(1),
        most: Duration::from_secs(30),
        retry: None,
        retry_after: None,
    };

    /// Returns the shortest and the longest of many delays, in milliseconds.
    fn range(wait: DelayInputs) -> (u128, u128) {
        let mut random = StdRng::seed_from_u64(7);
        let waits: Vec<_> = (0..10_000)
            .map(|_| wait.draw(&mut random).as_millis())
            .collect();
        (
            waits.iter().copied().min().unwrap_or_default(),
            waits.iter().copied().max().unwrap_or_default(),
        )
    }

    fn is_about(found: (u128, u128), least: u128, most: u128) -> bool {
        (least..=least + most / 50).contains(&found.0)
            && (most - most / 50..=most).contains(&found.1)
    }

    #[test]
    fn delay_is_at_least_the_servers_retry() {
        let second = Some(Duration::from_secs(1));
        let retry = DelayInputs {
            retry: second,
            ..FIRST
        };
        assert!(is_about(range(retry), 1000, 1250), "{:?}", range(retry));
        let again = DelayInputs {
            failures: 3,
            ..retry
        };
        assert!(is_about(range(again), 20, 4000), "{:?}", range(again));
        let after = DelayInputs {
            failures: 9,
            retry_after: Some(Duration::from_secs(2)),
            ..retry
        };
        assert!(is_about(range(after), 2000, 2500), "{:?}", range(after));
        let absurd = DelayInputs {
            retry_after: Some(Duration::MAX),
            ..FIRST
        };
        assert!(range(absurd).1 <= 3_600_000 * 5 / 4);
    }

    #[test]
    fn delays_grow_to_the_maximum() {
        for (failures, most) in [
            (0, 1000),
            (1, 1000),
            (2, 2000),
            (5, 16_000),
            (6, 30_000),
            (u32::MAX, 30_000),
        ] {
            let found = range(DelayInputs { failures, ..FIRST });
            assert!(is_about(found, 20, most), "{failures}: {found:?}");
        }
    }
}
