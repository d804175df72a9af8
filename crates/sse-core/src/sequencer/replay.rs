//! Replay of missed events, at their positions in the order.

use std::task::Waker;

use crate::{
    event::cursor::{Cursor, Mark},
    id::client_id::ClientId,
    log::{Log, fetched_page::FetchedPage, gap::GapReason, waiters::WaitsFor, window::Window},
    sequencer::{Sequencer, fanout::Tx},
    stream::{
        backlog::{Frames, Limit, events_in},
        catch_up::{CatchUp, CatchUpStep, Recipient},
    },
};

/// Outcome of one step of a replay.
#[derive(Debug)]
pub(crate) enum ReplayStep {
    /// More events follow.
    More,
    /// The stream is live now, or has ended.
    Live,
    /// The next events must be read from the backplane, after this cursor.
    Backplane(Cursor),
    /// The stream waits and is woken when the log advances.
    Waiting,
}

impl Sequencer {
    /// Delivers the next missed events to a stream that catches up.
    pub(crate) fn replay(
        &mut self,
        (place, id): (u32, ClientId),
        limit: Limit,
        feed: Option<&FetchedPage>,
        waker: &Waker,
        tx: &mut Tx<'_>,
    ) -> (Frames, ReplayStep) {
        self.deliver_pending(place, tx);
        self.finish(tx);
        let mut out = Frames::new();
        let Some(slot) = self
            .registry
            .streams
            .get(place)
            .filter(|slot| slot.stream.id == id)
        else {
            return (out, ReplayStep::Live);
        };
        let Some(log) = &mut self.log else {
            return (out, ReplayStep::Live);
        };
        let mut state = slot.stream.queue.lock();
        state.take_own(&mut out);
        let to = Recipient {
            id,
            dialects: &tx.rules.dialects,
            dialect: slot.stream.dialect,
        };
        let conditions = (
            log.synced_after(slot.stream.opened_ms),
            log.remote.is_some(),
        );
        let Some(catching) = state.catching() else {
            return (out, ReplayStep::Live);
        };
        catching.pass_over(&log.holes, &log.window);
        if let Some(page) = feed {
            catching.feed(page, &log.window, to, limit, &mut out);
        }
        let (step, reported) = catching.step(&mut log.window, to, limit, conditions, &mut out);
        catching.waits = matches!(step, CatchUpStep::Wait | CatchUpStep::Backplane(_));
        if let Some(reason) = reported {
            log.counts.gaps[reason as usize] += 1;
        }
        let waits = out.is_empty().then(|| state.wait(waker));
        let replayed = match step {
            CatchUpStep::More => ReplayStep::More,
            CatchUpStep::Backplane(after) => {
                ReplayStep::Backplane(Cursor::new(log.window.epoch().clone(), after))
            }
            CatchUpStep::Wait => ReplayStep::Waiting,
            CatchUpStep::Done => {
                // Every event in flight is in the log, or was held next to it.
                drop(state.caught_up(self.seq));
                ReplayStep::Live
            }
        };
        let events = out.iter().map(|frame| u64::from(events_in(frame))).sum();
        log.counts.replayed += events;
        state.took(events, tx.now);
        drop(state);
        drop(waits);
        if matches!(replayed, ReplayStep::Waiting) {
            self.enlist((place, id), WaitsFor::Head);
        }
        (out, replayed)
    }

    /// Continues a stream after a gap, because its next events are unavailable.
    pub(crate) fn replay_lost(
        &mut self,
        (place, id): (u32, ClientId),
        reason: GapReason,
        to: &Cursor,
    ) {
        let Some(slot) = self.registry.streams.get(place) else {
            return;
        };
        if slot.stream.id == id {
            self.catching(place, |catching, window| {
                catching.lost(reason, to.clone(), window);
            });
        }
    }

    pub(crate) fn count_gap(&mut self, reason: GapReason) {
        if let Some(log) = &mut self.log {
            log.counts.gaps[reason as usize] += 1;
        }
    }

    /// Returns the mark of an unlogged event now: after the last record of the log.
    pub(crate) fn unlogged_mark(&self) -> Mark {
        let end = |log: &Log| log.window.place(log.window.head());
        Mark::Unlogged(self.log.as_ref().map(end).unwrap_or_default())
    }

    /// Changes the subscriptions of a stream if it catches up. Without a log no stream catches up.
    pub(crate) fn catching(&self, place: u32, change: impl FnOnce(&mut CatchUp, &Window)) {
        let (Some(log), Some(slot)) = (&self.log, self.registry.streams.get(place)) else {
            return;
        };
        if let Some(catching) = slot.stream.queue.lock().catching() {
            change(catching, &log.window);
        }
    }
}
