//! The longest time without progress.

use std::time::{Duration, Instant};

/// The longest time for which deliveries were due and none arrived.
///
/// Only a delivery ends a stall. A delivery that never arrives is not a stall: it is counted as
/// missing.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    deliveries: u64,
    /// Start of the current stall: the time since which a due delivery is outstanding.
    since: Option<Instant>,
    longest: Duration,
}

impl Stall {
    /// Records the number of deliveries of a phase at a time, and the number that were due.
    pub(crate) fn look(&mut self, now: Instant, deliveries: u64, due: u64) {
        if deliveries > self.deliveries {
            let stall = self.since.map(|since| now.saturating_duration_since(since));
            self.longest = self.longest.max(stall.unwrap_or_default());
            (self.deliveries, self.since) = (deliveries, None);
        }
        if deliveries < due {
            self.since.get_or_insert(now);
        } else {
            self.since = None;
        }
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the longest stall for records of milliseconds, deliveries and due deliveries.
    fn longest(looks: &[(u64, u64, u64)]) -> u128 {
        let (start, mut stall) = (Instant::now(), Stall::default());
        for (milliseconds, deliveries, due) in looks {
            stall.look(
                start + Duration::from_millis(*milliseconds),
                *deliveries,
                *due,
            );
        }
        stall.longest().as_millis()
    }

    #[test]
    fn stall_counts_only_while_deliveries_are_due() {
        assert_eq!(
            longest(&[
                (0, 0, 0),
                (50, 0, 0),
                (60, 0, 2),
                (65, 2, 2),
                (500, 2, 2),
                (501, 4, 4)
            ]),
            5
        );
    }

    #[test]
    fn every_delivery_restarts_the_stall() {
        assert_eq!(
            longest(&[(0, 0, 9), (10, 1, 9), (40, 2, 9), (50, 9, 9)]),
            30
        );
    }

    #[test]
    fn missing_events_are_not_a_stall() {
        assert_eq!(longest(&[(0, 0, 2), (3, 1, 2), (5000, 1, 2)]), 3);
    }
}
