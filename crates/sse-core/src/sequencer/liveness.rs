//! Checks of streams for silence, stalls and age.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    dialect::{farewell::Farewell, reason::DisconnectReason},
    event::{cursor::Cursor, frame::Frame},
    registry::slot::Slot,
    sequencer::{Sequencer, fanout::Tx},
    stream::queue::Health,
};

/// Parameters of the liveness check of streams.
pub(crate) struct LivenessCheck<'a> {
    pub(crate) uptime_ms: u64,
    /// Time without events after which a stream receives a heartbeat; `None` without heartbeats.
    pub(crate) quiet: Option<Duration>,
    /// Time without progress after which a stream is ended as stalled.
    pub(crate) stalled: Duration,
    /// Tolerance by which a stream can end before its maximum age, so that it never ends later.
    pub(crate) age_slack: Duration,
    /// Returns the heartbeat of this tick in the stream's dialect, or a separate heartbeat with the
    /// position of a stream that catches up.
    pub(crate) heartbeat: &'a dyn Fn(&Slot, Option<&Cursor>) -> Option<Frame>,
}

impl Sequencer {
    /// Checks every `stride`-th stream from `cursor` on, at most `budget` streams. Returns `true`
    /// at the end of the table.
    pub(crate) fn check_liveness(
        &mut self,
        exam: &LivenessCheck<'_>,
        cursor: &mut u32,
        stride: u32,
        budget: u32,
        tx: &mut Tx<'_>,
    ) -> bool {
        let end = self.registry.streams.end();
        let mut left = budget;
        while *cursor < end && left > 0 {
            if let Some(reason) = self.examine_one(exam, *cursor, tx) {
                self.end_stream(*cursor, Farewell::new(reason), tx);
            }
            *cursor = cursor.saturating_add(stride);
            left -= 1;
        }
        self.finish(tx);
        *cursor >= end
    }

    fn examine_one(
        &mut self,
        exam: &LivenessCheck<'_>,
        place: u32,
        tx: &mut Tx<'_>,
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
        self.delivery(tx).deliver_pending(slot, &mut tx.out);
        let mut state = slot.stream.queue.lock();
        match state.health() {
            Health::Waiting(since) if tx.now.since(since) >= exam.stalled => {
                return Some(DisconnectReason::Stalled);
            }
            Health::Quiet(since)
                if exam.quiet.is_some_and(|quiet| tx.now.since(since) >= quiet) =>
            {
                let given = state.catching().map(|catching| catching.given().clone());
                if let Some(heartbeat) = (exam.heartbeat)(slot, given.as_ref()) {
                    tx.out.wake_later(state.append(heartbeat, tx.now));
                    self.counts.heartbeats += 1;
                }
            }
            _ => {}
        }
        None
    }
}
