//! Heartbeats, stall detection and maximum ages, from one timer for all streams.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{self, MissedTickBehavior},
};
use tracing::error;

use crate::{
    dialect::{Dialect, MAX_DIALECTS, heartbeat::Heartbeat},
    event::{Event, cursor::Cursor, frame::Frame},
    manager::{
        config::Config,
        driver::{Driver, Task},
        inner::Inner,
    },
    registry::slot::Slot,
    sequencer::liveness::LivenessCheck,
};

/// Number of phases: each tick checks every eighth stream, so that heartbeats are spread over the
/// streams.
const PHASES: u32 = 8;

/// Maximum number of streams that are checked while the manager's lock is held once.
const STEP: u32 = 256;

/// Number of steps after which other tasks of the thread run.
const STEPS_PER_TURN: u32 = 16;

/// Maximum duration of a round, whatever the settings: a stream ends up to a round before its
/// authentication expires.
const LONGEST_ROUND: Duration = Duration::from_secs(60);

/// Ensures that the timer runs. Called for every new stream.
pub(crate) fn ensure(inner: &Arc<Inner>) {
    let schedule = Schedule::of(inner);
    Driver::run(inner, Task::Timer, ensure, |manager, _| {
        run(manager, schedule)
    });
}

/// Intervals and limits of the timer.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    tick: Duration,
    quiet: Option<Duration>,
    stalled: Duration,
    age_slack: Duration,
}

impl Schedule {
    fn of(inner: &Inner) -> Self {
        let config = &inner.config;
        let quiet = inner.heartbeat.as_ref().map(|_| config.heartbeat_interval);
        let round = inner.round;
        let tick = (round / PHASES).max(Duration::from_millis(1));
        Self {
            tick,
            quiet,
            stalled: config.connection_timeout - 2 * round,
            age_slack: round,
        }
    }
}

/// Returns the time within which every stream is checked once. With a fifth of the heartbeat
/// interval, a heartbeat follows 1.0 to 1.2 intervals after the last event. A tenth of the timeout
/// ends a stalled stream between 0.8 and 1.0 of the timeout.
pub(crate) fn round(config: &Config, has_heartbeat: bool) -> Duration {
    let others = [
        has_heartbeat.then(|| config.heartbeat_interval / 5),
        config.max_age.map(|age| age / 20),
    ];
    others.into_iter().flatten().fold(
        LONGEST_ROUND.min(config.connection_timeout / 10),
        Duration::min,
    )
}

/// Checks streams until the manager has no streams, so that an idle manager costs nothing.
async fn run(manager: Weak<Inner>, schedule: Schedule) {
    let mut ticks = time::interval_at(time::Instant::now() + schedule.tick, schedule.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut phases = (0..PHASES).cycle();
    loop {
        ticks.tick().await;
        let Some(inner) = manager.upgrade() else {
            return;
        };
        check_streams(&inner, schedule, phases.next().unwrap_or_default()).await;
        inner.release_leavers();
        inner.follow();
        if inner.open() == 0 && inner.driver.rest(Task::Timer, || inner.open() > 0) {
            return;
        }
    }
}

async fn check_streams(inner: &Arc<Inner>, schedule: Schedule, phase: u32) {
    // Records also age while no events are published.
    let now_ms = inner.log_time();
    while !inner.with_sequencer(|sequencer, _| {
        sequencer
            .log
            .as_mut()
            .is_none_or(|log| log.window.tidy(now_ms))
    }) {
        yield_now().await;
    }
    let mut heartbeats = HeartbeatFrames::new(inner);
    let mut made = time::Instant::now();
    let mut cursor = phase;
    let mut steps = 0;
    while !step(inner, schedule, &heartbeats, &mut cursor) {
        steps += 1;
        // An older heartbeat could report an earlier position than a stream has received in the
        // meantime.
        if schedule
            .quiet
            .is_some_and(|quiet| made.elapsed() >= quiet / 2)
        {
            heartbeats = HeartbeatFrames::new(inner);
            made = time::Instant::now();
        }
        if steps % STEPS_PER_TURN == 0 {
            yield_now().await;
        }
    }
}

fn step(
    inner: &Arc<Inner>,
    schedule: Schedule,
    heartbeats: &HeartbeatFrames,
    cursor: &mut u32,
) -> bool {
    let exam = LivenessCheck {
        uptime_ms: inner.clock.uptime_ms(),
        quiet: schedule.quiet,
        stalled: schedule.stalled,
        age_slack: schedule.age_slack,
        heartbeat: &|slot: &Slot, given: Option<&Cursor>| heartbeats.frame(inner, slot, given),
    };
    inner.with_sequencer(|sequencer, tx| sequencer.check_liveness(&exam, cursor, PHASES, STEP, tx))
}

/// Calls the heartbeat of the app. A panic in it must not end stall detection.
fn create_heartbeat(heartbeat: &dyn Heartbeat) -> Option<Event> {
    let event = catch_unwind(AssertUnwindSafe(|| heartbeat.beat()));
    event
        .inspect_err(|_| error!("heartbeat panicked; streams receive no heartbeat event this time"))
        .ok()
}

/// The heartbeat of one tick, in each dialect.
struct HeartbeatFrames {
    event: Event,
    frames: [Option<Frame>; MAX_DIALECTS],
}

impl HeartbeatFrames {
    /// Creates the heartbeats. With a log, a heartbeat reports the position up to which streams
    /// have received everything. That is the end of the log, since the streams are idle.
    fn new(inner: &Inner) -> Self {
        let event = inner
            .heartbeat
            .as_ref()
            .and_then(|heartbeat| create_heartbeat(&**heartbeat))
            .unwrap_or_default();
        let head = inner.log_head();
        let served = head
            .iter()
            .fold(event.clone(), |event, head| event.with_id(head.to_id()));
        let dialects = &inner.rules.dialects;
        let frames = std::array::from_fn(|index| {
            let (index, _) = dialects.entry(index)?;
            Some(dialects.encode(index, |dialect: &dyn Dialect, out| {
                dialect.heartbeat(&served, out);
            }))
        });
        Self { event, frames }
    }

    fn frame(&self, inner: &Inner, slot: &Slot, given: Option<&Cursor>) -> Option<Frame> {
        let frame = match given {
            None => self.frames[slot.stream.dialect.get()].clone()?,
            Some(given) => {
                let event = self.event.clone().with_id(given.to_id());
                let dialects = &inner.rules.dialects;
                dialects.encode(slot.stream.dialect, |dialect, out| {
                    dialect.heartbeat(&event, out);
                })
            }
        };
        Some(frame).filter(|frame| !frame.is_empty())
    }
}
