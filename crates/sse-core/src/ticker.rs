//! Heartbeats, stalls and ages, from one timer for all streams.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{self, MissedTickBehavior},
};
use tracing::error;

use crate::{
    dialect::{Dialect, MAX_DIALECTS},
    event::Event,
    frame::Frame,
    heartbeat::Heartbeat,
    inner::Inner,
    order::Exam,
    registry::Slot,
    sync::Mutex,
};

/// Each tick looks at every eighth stream, so heartbeats are spread over the streams.
const PHASES: u32 = 8;

/// So many streams are looked at while the manager's lock is held once.
const STEP: u32 = 256;

/// So many steps until other tasks of the thread run.
const STEPS_PER_TURN: u32 = 16;

/// Runs on one of the runtimes that streams come from; moves to another when that one ends.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    running: AtomicBool,
    /// Runtimes seen, latest last.
    runtimes: Mutex<Vec<Handle>>,
}

/// More runtimes than an application has.
const MOST_RUNTIMES: usize = 256;

impl Ticker {
    /// Starts the timer if it does not run and a runtime is there. Called whenever a stream shows up.
    pub(crate) fn ensure(&self, inner: &Arc<Inner>) {
        if self.running.load(Ordering::SeqCst) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        self.remember(&runtime);
        self.start_on(&runtime, inner);
    }

    /// Notes a runtime, in case the one that the timer runs on ends.
    pub(crate) fn remember(&self, runtime: &Handle) {
        let mut runtimes = self.runtimes.lock();
        if runtimes.iter().all(|known| known.id() != runtime.id()) {
            if runtimes.len() == MOST_RUNTIMES {
                runtimes.remove(0);
            }
            runtimes.push(runtime.clone());
        }
    }

    fn start_on(&self, runtime: &Handle, inner: &Arc<Inner>) {
        if self.running.swap(true, Ordering::SeqCst) {
            return;
        }
        let keeper = Keeper { inner: Arc::downgrade(inner), runtime: runtime.clone(), finished: false };
        runtime.spawn(run(keeper, Rhythm::of(inner)));
    }
}

/// Notices when the task is dropped with its runtime, and starts it elsewhere.
struct Keeper {
    inner: Weak<Inner>,
    runtime: Handle,
    finished: bool,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else { return };
        if self.finished {
            return;
        }
        let mut runtimes = inner.ticker.runtimes.lock();
        runtimes.retain(|known| known.id() != self.runtime.id());
        let next = runtimes.last().cloned();
        drop(runtimes);
        inner.ticker.running.store(false, Ordering::SeqCst);
        if let Some(runtime) = next {
            inner.ticker.start_on(&runtime, &inner);
        }
    }
}

/// When things are due.
#[derive(Debug, Clone, Copy)]
struct Rhythm {
    tick: Duration,
    quiet: Option<Duration>,
    stalled: Duration,
    age_slack: Duration,
}

impl Rhythm {
    /// A stream is looked at once a round. A round of a fifth of the heartbeat interval makes heartbeats at most 1.2 intervals late,
    /// and one of a tenth of the timeout lets a stream be ended after 0.8 of it and before the whole.
    fn of(inner: &Inner) -> Self {
        let config = &inner.config;
        let quiet = inner.heartbeat.as_ref().map(|_| config.heartbeat_interval);
        let rounds = [
            quiet.map(|quiet| quiet / 5),
            Some(config.connection_timeout / 10),
            config.max_age.map(|age| age / 20),
        ];
        let round = rounds.into_iter().flatten().min().unwrap_or(config.connection_timeout / 10);
        let tick = (round / PHASES).max(Duration::from_millis(1));
        Self { tick, quiet, stalled: config.connection_timeout - 2 * round, age_slack: round }
    }
}

async fn run(mut keeper: Keeper, rhythm: Rhythm) {
    let mut ticks = time::interval_at(time::Instant::now() + rhythm.tick, rhythm.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut phase = 0;
    loop {
        ticks.tick().await;
        let Some(inner) = keeper.inner.upgrade() else { break };
        phase = (phase + 1) % PHASES;
        look(&inner, rhythm, phase).await;
        if rests(&inner) {
            break;
        }
    }
    keeper.finished = true;
}

/// Whether there is nothing to look at, so that an idle manager costs nothing; the next stream starts it again.
fn rests(inner: &Arc<Inner>) -> bool {
    if inner.open() > 0 {
        return false;
    }
    inner.ticker.running.store(false, Ordering::SeqCst);
    // A stream that came in between may have seen the timer running.
    inner.open() == 0 || inner.ticker.running.swap(true, Ordering::SeqCst)
}

async fn look(inner: &Arc<Inner>, rhythm: Rhythm, phase: u32) {
    let beats = Beats::new(inner);
    let mut cursor = phase;
    let mut steps = 0;
    while !step(inner, rhythm, &beats, &mut cursor) {
        steps += 1;
        if steps % STEPS_PER_TURN == 0 {
            yield_now().await;
        }
    }
}

fn step(inner: &Arc<Inner>, rhythm: Rhythm, beats: &Beats, cursor: &mut u32) -> bool {
    let exam = Exam {
        uptime_ms: inner.clock.uptime_ms(),
        quiet: rhythm.quiet,
        stalled: rhythm.stalled,
        age_slack: rhythm.age_slack,
        beats: &|slot: &Slot| beats.frame(slot),
    };
    inner.with_order(|order, hold| order.examine(&exam, cursor, PHASES, STEP, hold))
}

/// A heartbeat of the app's own that panics must not end stall detection.
fn beat(heartbeat: &dyn Heartbeat) -> Option<Event> {
    let beat = catch_unwind(AssertUnwindSafe(|| heartbeat.beat()));
    beat.inspect_err(|_| error!("the heartbeat panicked; streams get none this time")).ok()
}

/// The heartbeat of one tick in each dialect.
struct Beats([Option<Frame>; MAX_DIALECTS]);

impl Beats {
    fn new(inner: &Inner) -> Self {
        let beat = inner.heartbeat.as_ref().and_then(|heartbeat| beat(&**heartbeat)).unwrap_or_default();
        let dialects = &inner.rules.dialects;
        Self(std::array::from_fn(|index| {
            let (index, _) = dialects.entry(index)?;
            Some(dialects.encode(index, |dialect: &dyn Dialect, out| dialect.heartbeat(&beat, out)))
        }))
    }

    fn frame(&self, slot: &Slot) -> Option<&Frame> {
        self.0[slot.stream.dialect.get()].as_ref().filter(|frame| !frame.is_empty())
    }
}
