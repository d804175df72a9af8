//! Whose turn it is to follow the log.

use std::{
    future::poll_fn,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::{self, MissedTickBehavior};

use crate::{
    manager::inner::Inner,
    sequencer::{Order, fanout::Hold},
    sync::Mutex,
};

/// A task that follows the log shows this often that it runs, whatever its backplane does.
const BEAT: Duration = Duration::from_secs(1);

/// How often somebody else looks, at most, in milliseconds.
const LOOK_MS: u64 = 1000;

/// After so many looks in a row that found nobody running, another runtime takes over. Looks are counted and not time, since after a stop of the whole
/// process all are late.
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

/// Who follows the log. It is one runtime, and another one when that is over, or when it lives and does not run, as a worker of Actix may whose
/// handler blocks: then the one before is out of turn, finds that out when it wakes, and ends.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// Whose turn it is; zero before the first. Changed under the manager's lock alone, so whoever holds that knows whether he is in turn.
    generation: AtomicU64,
    /// How often each task has shown that it runs.
    beats: [AtomicU64; Part::COUNT],
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

impl Following {
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
        let beats = self.beats.each_ref().map(|beats| beats.load(Ordering::SeqCst));
        let stand_still = beats.iter().zip(watch.beats).any(|(now, before)| *now == before);
        watch.still = if stand_still { watch.still + 1 } else { 0 };
        watch.beats = beats;
        (watch.still >= LOOKS).then_some(generation)
    }

    /// Begins the next generation, unless the one before is another one by now. Only under the manager's lock.
    pub(crate) fn begin(&self, before: u64) -> Option<u64> {
        let mut watch = self.watch.lock();
        let next = before + 1;
        let (to, on) = (Ordering::SeqCst, Ordering::SeqCst);
        self.generation.compare_exchange(before, next, to, on).ok()?;
        *watch = Watch { is_running: true, looked_at_ms: watch.looked_at_ms, ..Watch::default() };
        Some(next)
    }

    fn is_turn_of(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) == generation
    }

    fn end(&self, generation: u64) {
        let mut watch = self.watch.lock();
        if self.is_turn_of(generation) {
            watch.is_running = false;
        }
    }
}

/// The manager is gone, or somebody else follows its log.
#[derive(Debug)]
pub(crate) struct Gone;

/// The turn of one runtime.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    manager: Weak<Inner>,
    generation: u64,
}

impl Turn {
    pub(crate) fn new(manager: Weak<Inner>, generation: u64) -> Self {
        Self { manager, generation }
    }

    /// How many turns there were, this one included.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The manager, as long as the turn lasts.
    pub(crate) fn manager(&self) -> Result<Arc<Inner>, Gone> {
        self.manager.upgrade().filter(|inner| inner.following.is_turn_of(self.generation)).ok_or(Gone)
    }

    /// Does something under the manager's lock, if it is this turn's to do.
    pub(crate) fn hold<T>(
        &self,
        inner: &Inner,
        act: impl FnOnce(&mut Order, &mut Hold<'_>) -> T,
    ) -> Result<T, Gone> {
        inner.with_order(|order, hold| {
            if inner.following.is_turn_of(self.generation) { Ok(act(order, hold)) } else { Err(Gone) }
        })
    }

    /// Does the work of a part, and shows that it runs, until either is over.
    pub(crate) async fn beating(self, part: Part, work: impl Future<Output = ()>) {
        let mut beats = time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| {
            // First, so that one that was out of turn for long does nothing more.
            while beats.poll_tick(cx).is_ready() {
                let Ok(inner) = self.manager() else { return Poll::Ready(()) };
                inner.following.beats[part as usize].fetch_add(1, Ordering::SeqCst);
            }
            work.as_mut().poll(cx)
        })
        .await;
    }
}

/// Notices when a turn ends with its runtime, so that another one may take over.
pub(crate) struct Keeper(pub(crate) Turn);

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(inner) = self.0.manager.upgrade() {
            inner.following.end(self.0.generation);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn beat(following: &Following, parts: &[Part]) {
        parts.iter().for_each(|part| {
            following.beats[*part as usize].fetch_add(1, Ordering::SeqCst);
        });
    }

    const ALL: [Part; Part::COUNT] = [Part::Follower, Part::Listener, Part::Reader, Part::Prober];

    #[test]
    fn whoever_stands_still_for_several_looks_is_out_of_turn() {
        let following = Following::default();
        assert_eq!(following.look(0), Some(0));
        assert_eq!(following.begin(0), Some(1));
        for second in 1..=10 {
            beat(&following, &ALL);
            assert_eq!(following.look(second * 1000), None);
            assert_eq!(following.look(second * 1000 + 1), None, "not twice in one look");
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
        assert_eq!((following.begin(1), following.begin(1)), (Some(2), None), "one takes over");
        assert_eq!(following.look(1_006_000), None);
        following.end(1);
        assert_eq!(following.look(1_007_000), None, "what is over ends nothing");
        following.end(2);
        assert_eq!(following.look(1_007_000), Some(2));
    }
}
