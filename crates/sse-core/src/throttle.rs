//! Limits on how often a log message is written.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Limits how often a log message is written that strangers can cause: one message of a kind in an
/// interval, which also tells how many were left out since the one before.
///
/// ```
/// use std::time::Duration;
/// use sse_core::throttle::Throttle;
///
/// static THROTTLE: Throttle = Throttle::new(Duration::from_secs(10));
///
/// assert_eq!(THROTTLE.admit("expired"), Some(0));
/// assert_eq!(THROTTLE.admit("expired"), None);
/// assert_eq!(THROTTLE.admit("forged"), Some(0));
/// ```
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    /// One entry for each kind that the program names, so it does not grow with what strangers do.
    kinds: Mutex<Vec<Kind>>,
}

#[derive(Debug)]
struct Kind {
    name: &'static str,
    admitted: Instant,
    left_out: u64,
}

/// Interval of the messages that this crate and those above it write.
pub const INTERVAL: Duration = Duration::from_secs(10);

impl Throttle {
    /// A limit of one message of each kind in an interval.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            kinds: Mutex::new(Vec::new()),
        }
    }

    /// Returns how many messages of the kind were left out since the last one that was written, if
    /// one may be written now.
    pub fn admit(&self, kind: &'static str) -> Option<u64> {
        self.admit_at(kind, Instant::now())
    }

    fn admit_at(&self, name: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kind) = kinds.iter_mut().find(|kind| kind.name == name) else {
            kinds.push(Kind {
                name,
                admitted: now,
                left_out: 0,
            });
            return Some(0);
        };
        if now.saturating_duration_since(kind.admitted) < self.interval {
            kind.left_out += 1;
            return None;
        }
        kind.admitted = now;
        Some(std::mem::take(&mut kind.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_kind_is_admitted_in_an_interval_and_the_rest_is_counted() {
        let throttle = Throttle::new(INTERVAL);
        let start = Instant::now();
        let at = |kind, milliseconds| {
            throttle.admit_at(kind, start + Duration::from_millis(milliseconds))
        };
        assert_eq!(at("a", 0), Some(0));
        assert_eq!(
            (at("a", 1), at("b", 2), at("a", 9_999)),
            (None, Some(0), None)
        );
        assert_eq!(
            (at("a", 10_000), at("a", 10_001), at("b", 10_003)),
            (Some(2), None, Some(0))
        );
        assert_eq!(at("a", 60_000), Some(1));
    }
}
