//! Selection of the runtime that follows the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::Mutex;

/// Minimum interval between checks of the leader, in milliseconds.
const CHECK_INTERVAL_MS: u64 = 1000;

/// Number of consecutive checks that find a task of the leader stalled before another runtime takes
/// over. The state counts checks instead of time: after a stop of the whole process every task is
/// late.
const STALLED_CHECKS: u32 = 4;

/// A task that follows a log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Follower,
    Listener,
    Reader,
    Prober,
}

impl Part {
    const COUNT: usize = 4;
}

/// The runtime that follows the log. Another runtime takes over if the leader ends, or if it lives
/// and makes no progress, as an Actix worker can whose handler blocks. The old leader notices when
/// it wakes that its generation is over, and ends.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    /// Generation of the leader; zero before the first. Changes only under the manager's lock, so
    /// the holder of the lock knows whether its own generation is current.
    generation: AtomicU64,
    /// Number of heartbeats of each task.
    pub(crate) heartbeats: [AtomicU64; Part::COUNT],
    watch: Mutex<Watch>,
}

/// The heartbeats that the last check found.
#[derive(Debug, Default)]
struct Watch {
    is_running: bool,
    checked_at_ms: u64,
    heartbeats: [u64; Part::COUNT],
    /// Number of consecutive checks that found a task stalled.
    still: u32,
}

impl Leadership {
    /// Checks whether the log is followed. If not, returns the generation to take over from.
    pub(crate) fn check(&self, uptime_ms: u64) -> Option<u64> {
        let mut watch = self.watch.lock();
        let generation = self.generation.load(Ordering::SeqCst);
        if !watch.is_running {
            return Some(generation);
        }
        if uptime_ms < watch.checked_at_ms.saturating_add(CHECK_INTERVAL_MS) {
            return None;
        }
        watch.checked_at_ms = uptime_ms;
        let heartbeats = self
            .heartbeats
            .each_ref()
            .map(|heartbeats| heartbeats.load(Ordering::SeqCst));
        let is_stalled = heartbeats
            .iter()
            .zip(watch.heartbeats)
            .any(|(now, before)| *now == before);
        watch.still = if is_stalled { watch.still + 1 } else { 0 };
        watch.heartbeats = heartbeats;
        (watch.still >= STALLED_CHECKS).then_some(generation)
    }

    /// Begins the next generation, unless `before` is no longer the current generation. Must be
    /// called under the manager's lock.
    pub(crate) fn begin(&self, before: u64) -> Option<u64> {
        let mut watch = self.watch.lock();
        let next = before + 1;
        let (to, on) = (Ordering::SeqCst, Ordering::SeqCst);
        self.generation
            .compare_exchange(before, next, to, on)
            .ok()?;
        *watch = Watch {
            is_running: true,
            checked_at_ms: watch.checked_at_ms,
            ..Watch::default()
        };
        Some(next)
    }

    pub(crate) fn is_turn_of(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) == generation
    }

    pub(crate) fn end(&self, generation: u64) {
        let mut watch = self.watch.lock();
        if self.is_turn_of(generation) {
            watch.is_running = false;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn report(following: &Leadership, parts: &[Part]) {
        parts.iter().for_each(|part| {
            following.heartbeats[*part as usize].fetch_add(1, Ordering::SeqCst);
        });
    }

    const ALL: [Part; Part::COUNT] = [Part::Follower, Part::Listener, Part::Reader, Part::Prober];

    #[test]
    fn stalled_leader_is_replaced_after_several_checks() {
        let following = Leadership::default();
        assert_eq!(following.check(0), Some(0));
        assert_eq!(following.begin(0), Some(1));
        for second in 1..=10 {
            report(&following, &ALL);
            assert_eq!(following.check(second * 1000), None);
            assert_eq!(
                following.check(second * 1000 + 1),
                None,
                "the interval between checks is not over"
            );
        }
        // The whole process was stopped.
        assert_eq!(following.check(1_000_000), None);
        report(&following, &ALL);
        assert_eq!(following.check(1_001_000), None);
        // Only one of the tasks stalls.
        for round in 2..=4 {
            report(&following, &ALL[..2]);
            assert_eq!(following.check(1_000_000 + round * 1000), None);
        }
        assert_eq!(following.check(1_005_000), Some(1));
        assert_eq!(
            (following.begin(1), following.begin(1)),
            (Some(2), None),
            "only one runtime takes over"
        );
        assert_eq!(following.check(1_006_000), None);
        following.end(1);
        assert_eq!(
            following.check(1_007_000),
            None,
            "an earlier leadership ends nothing"
        );
        following.end(2);
        assert_eq!(following.check(1_007_000), Some(2));
    }
}
