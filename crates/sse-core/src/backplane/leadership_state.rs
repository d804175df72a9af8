//! Which runtime follows the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::Mutex;

/// How often somebody else looks, at most, in milliseconds.
const LOOK_MS: u64 = 1000;

/// After so many looks in a row that found nobody running, another runtime takes over. Looks are
/// counted and not time, since after a stop of the whole process all are late.
const LOOKS: u32 = 4;

/// The tasks that follow a log.
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

/// Who follows the log. It is one runtime, and another one when that is over, or when it lives and
/// does not run, as a worker of Actix may whose handler blocks: then the one before is out of turn,
/// finds that out when it wakes, and ends.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    /// Whose turn it is; zero before the first. Changed under the manager's lock alone, so whoever
    /// holds that knows whether he is in turn.
    generation: AtomicU64,
    /// How often each task has shown that it runs.
    pub(crate) beats: [AtomicU64; Part::COUNT],
    watch: Mutex<Watch>,
}

/// What was seen of those whose turn it is.
#[derive(Debug, Default)]
struct Watch {
    is_running: bool,
    looked_at_ms: u64,
    beats: [u64; Part::COUNT],
    /// How many looks in a row found one of them still.
    still: u32,
}

impl Leadership {
    /// Looks whether the log is followed. If it is not, gives the generation to be taken over from.
    pub(crate) fn look(&self, uptime_ms: u64) -> Option<u64> {
        let mut watch = self.watch.lock();
        let generation = self.generation.load(Ordering::SeqCst);
        if !watch.is_running {
            return Some(generation);
        }
        if uptime_ms < watch.looked_at_ms.saturating_add(LOOK_MS) {
            return None;
        }
        watch.looked_at_ms = uptime_ms;
        let beats = self
            .beats
            .each_ref()
            .map(|beats| beats.load(Ordering::SeqCst));
        let stand_still = beats
            .iter()
            .zip(watch.beats)
            .any(|(now, before)| *now == before);
        watch.still = if stand_still { watch.still + 1 } else { 0 };
        watch.beats = beats;
        (watch.still >= LOOKS).then_some(generation)
    }

    /// Begins the next generation, unless the one before is another one by now. Only under the
    /// manager's lock.
    pub(crate) fn begin(&self, before: u64) -> Option<u64> {
        let mut watch = self.watch.lock();
        let next = before + 1;
        let (to, on) = (Ordering::SeqCst, Ordering::SeqCst);
        self.generation
            .compare_exchange(before, next, to, on)
            .ok()?;
        *watch = Watch {
            is_running: true,
            looked_at_ms: watch.looked_at_ms,
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

    fn beat(following: &Leadership, parts: &[Part]) {
        parts.iter().for_each(|part| {
            following.beats[*part as usize].fetch_add(1, Ordering::SeqCst);
        });
    }

    const ALL: [Part; Part::COUNT] = [Part::Follower, Part::Listener, Part::Reader, Part::Prober];

    #[test]
    fn whoever_stands_still_for_several_looks_is_out_of_turn() {
        let following = Leadership::default();
        assert_eq!(following.look(0), Some(0));
        assert_eq!(following.begin(0), Some(1));
        for second in 1..=10 {
            beat(&following, &ALL);
            assert_eq!(following.look(second * 1000), None);
            assert_eq!(
                following.look(second * 1000 + 1),
                None,
                "not twice in one look"
            );
        }
        // The whole process stood still.
        assert_eq!(following.look(1_000_000), None);
        beat(&following, &ALL);
        assert_eq!(following.look(1_001_000), None);
        // One of them alone.
        for look in 2..=4 {
            beat(&following, &ALL[..2]);
            assert_eq!(following.look(1_000_000 + look * 1000), None);
        }
        assert_eq!(following.look(1_005_000), Some(1));
        assert_eq!(
            (following.begin(1), following.begin(1)),
            (Some(2), None),
            "one takes over"
        );
        assert_eq!(following.look(1_006_000), None);
        following.end(1);
        assert_eq!(following.look(1_007_000), None, "what is over ends nothing");
        following.end(2);
        assert_eq!(following.look(1_007_000), Some(2));
    }
}
