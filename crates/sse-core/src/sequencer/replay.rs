//! Giving streams what they missed, at their places in the order.

use std::task::Waker;

use crate::{
    event::cursor::{Before, Cursor},
    id::client_id::ClientId,
    log::{Log, fetched_page::FetchedPage, gap::GapReason, waiters::WaitsFor, window::Window},
    sequencer::{Sequencer, fanout::Tx},
    stream::{
        backlog::{Frames, Limit, events_in},
        catch_up::{CatchUp, Recipient, Step},
    },
};

/// How a stream goes on that is given what it missed.
#[derive(Debug)]
pub(crate) enum ReplayStep {
    /// There is more.
    More,
    /// It is live now, or over.
    Live,
    /// What comes next is to be read from the backplane, behind this cursor.
    Backplane(Cursor),
    /// It is woken when the log has moved.
    Waiting,
}

impl Sequencer {
    /// Gives a stream that catches up the next of what it missed.
    pub(crate) fn replay(
        &mut self,
        (place, id): (u32, ClientId),
        limit: Limit,
        feed: Option<&FetchedPage>,
        waker: &Waker,
        hold: &mut Tx<'_>,
    ) -> (Frames, ReplayStep) {
        self.deliver_pending(place, hold);
        self.finish(hold);
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
            dialects: &hold.rules.dialects,
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
        if let Some(segment) = feed {
            catching.feed(segment, &log.window, to, limit, &mut out);
        }
        let (step, told) = catching.step(&mut log.window, to, limit, conditions, &mut out);
        catching.waits = matches!(step, Step::Wait | Step::Backplane(_));
        if let Some(reason) = told {
            log.counts.gaps[reason as usize] += 1;
        }
        let waits = out.is_empty().then(|| state.wait(waker));
        let replayed = match step {
            Step::More => ReplayStep::More,
            Step::Backplane(after) => {
                ReplayStep::Backplane(Cursor::new(log.window.epoch().clone(), after))
            }
            Step::Wait => ReplayStep::Waiting,
            Step::Done => {
                // Whatever is under way is in the log, or was put beside it.
                drop(state.caught_up(self.seq));
                ReplayStep::Live
            }
        };
        let events = out.iter().map(|frame| u64::from(events_in(frame))).sum();
        log.counts.replayed += events;
        state.took(events, hold.now);
        drop(state);
        drop(waits);
        if matches!(replayed, ReplayStep::Waiting) {
            self.enlist((place, id), WaitsFor::Head);
        }
        (out, replayed)
    }

    /// What follows where a stream is cannot be had: it goes on behind a gap.
    pub(crate) fn replay_lost(
        &mut self,
        (place, id): (u32, ClientId),
        reason: GapReason,
        to: &Cursor,
    ) {
        let Some(slot) = self
            .registry
            .streams
            .get(place)
            .filter(|slot| slot.stream.id == id)
        else {
            return;
        };
        if let Some(catching) = slot.stream.queue.lock().catching() {
            catching.lost(reason, to.clone());
        }
    }

    pub(crate) fn count_gap(&mut self, reason: GapReason) {
        if let Some(log) = &mut self.log {
            log.counts.gaps[reason as usize] += 1;
        }
    }

    /// What comes now comes before the next record of the log.
    pub(crate) fn before_next(&self) -> Before {
        let before = |log: &Log| Before {
            number: log.window.next(),
            behind: log.window.head(),
        };
        self.log.as_ref().map(before).unwrap_or_default()
    }

    /// Changes what a stream is meant by that catches up, if it does. Without a log nobody does.
    pub(crate) fn catching(&self, place: u32, change: impl FnOnce(&mut CatchUp, &Window)) {
        let (Some(log), Some(slot)) = (&self.log, self.registry.streams.get(place)) else {
            return;
        };
        if let Some(catching) = slot.stream.queue.lock().catching() {
            change(catching, &log.window);
        }
    }
}
