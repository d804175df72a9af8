//! Looks at streams: who has been quiet, takes nothing, or has reached its age.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    dialect::{farewell::Farewell, reason::DisconnectReason},
    event::{cursor::Cursor, frame::Frame},
    registry::slot::Slot,
    sequencer::{Sequencer, fanout::Tx},
    stream::queue::Health,
};

/// What is found at a look at a stream that has been quiet, or that takes nothing.
pub(crate) struct LivenessCheck<'a> {
    pub(crate) uptime_ms: u64,
    /// After how long a quiet stream gets a heartbeat; `None` without heartbeats.
    pub(crate) quiet: Option<Duration>,
    /// After how long a stream that takes nothing is ended.
    pub(crate) stalled: Duration,
    /// How much too early a stream may reach its age, so that it is never too late.
    pub(crate) age_slack: Duration,
    /// The heartbeat of this tick in the stream's dialect, or one of its own with the position that
    /// it has been given up to.
    pub(crate) beats: &'a dyn Fn(&Slot, Option<&Cursor>) -> Option<Frame>,
}

impl Sequencer {
    /// Looks at every `stride`-th stream from `cursor` on, at most `budget` of them; `true` at the
    /// end of the table.
    pub(crate) fn check_liveness(
        &mut self,
        exam: &LivenessCheck<'_>,
        cursor: &mut u32,
        stride: u32,
        budget: u32,
        hold: &mut Tx<'_>,
    ) -> bool {
        let end = self.registry.streams.end();
        let mut left = budget;
        while *cursor < end && left > 0 {
            if let Some(reason) = self.examine_one(exam, *cursor, hold) {
                self.end_stream(*cursor, Farewell::new(reason), hold);
            }
            *cursor = cursor.saturating_add(stride);
            left -= 1;
        }
        self.finish(hold);
        *cursor >= end
    }

    fn examine_one(
        &mut self,
        exam: &LivenessCheck<'_>,
        place: u32,
        hold: &mut Tx<'_>,
    ) -> Option<DisconnectReason> {
        let slot = self.registry.streams.get(place)?;
        let age = Duration::from_millis(exam.uptime_ms.saturating_sub(slot.stream.opened_ms));
        let is_due =
            |after: u32| after != 0 && age + exam.age_slack >= Duration::from_millis(after.into());
        if is_due(slot.stream.expires_after_ms.load(Ordering::Relaxed)) {
            return Some(DisconnectReason::Expired);
        }
        if is_due(slot.stream.ends_after_ms) {
            return Some(DisconnectReason::MaxAge);
        }
        self.delivery(hold).deliver_pending(slot, &mut hold.out);
        let mut state = slot.stream.queue.lock();
        match state.health() {
            Health::Waiting(since) if hold.now.since(since) >= exam.stalled => {
                return Some(DisconnectReason::Stalled);
            }
            Health::Quiet(since)
                if exam
                    .quiet
                    .is_some_and(|quiet| hold.now.since(since) >= quiet) =>
            {
                let given = state.catching().map(|catching| catching.given().clone());
                if let Some(beat) = (exam.beats)(slot, given.as_ref()) {
                    hold.out.wake_later(state.append(beat, hold.now));
                    self.counts.heartbeats += 1;
                }
            }
            _ => {}
        }
        None
    }
}
