//! Rate limits for log messages.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A rate limit for log messages that strangers can trigger.
///
/// The limit admits one message of each kind per interval. [`Throttle::admit`] returns the number
/// of messages that were suppressed since the previous one.
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
    /// One entry per kind. The program names the kinds, so strangers cannot make the list grow.
    kinds: Mutex<Vec<MessageKind>>,
}

#[derive(Debug)]
struct MessageKind {
    name: &'static str,
    admitted: Instant,
    left_out: u64,
}

/// Interval for the messages of this crate and of the crates that depend on it.
pub const INTERVAL: Duration = Duration::from_secs(10);

impl Throttle {
    /// Creates a limit of one message of each kind per interval.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            kinds: Mutex::new(Vec::new()),
        }
    }

    /// Returns `Some` if a message of the kind can be written now, with the number of messages that
    /// were suppressed since the last written one. Returns `None` if the message must be
    /// suppressed.
    pub fn admit(&self, kind: &'static str) -> Option<u64> {
        self.admit_at(kind, Instant::now())
    }

    fn admit_at(&self, name: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kind) = kinds.iter_mut().find(|kind| kind.name == name) else {
            kinds.push(MessageKind {
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
    fn one_message_per_kind_and_interval_is_admitted() {
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
