//! Delivery of one event into the queues of its recipients.

use std::{sync::Arc, task::Waker};

use smallvec::SmallVec;

use crate::{
    clock::Millis,
    dialect::{Dialects, message::Message},
    event::cursor::Mark,
    registry::slot::Slot,
    stream::{
        hooks::Hooks,
        queue::{Pushed, QueueBounds, QueueState},
        shared::StreamState,
    },
};

/// Settings that apply to every delivery of a manager.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) dialects: Dialects,
    pub(crate) bounds: QueueBounds,
}

/// The recipients of an event during its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    All,
    Group(u32),
}

/// A publish to more streams than the lock can be held for.
///
/// The publish takes its position in the order at once, and reaches its streams in steps. A later
/// operation that touches one of its streams first delivers the pending events to that stream (see
/// [`Fanout::deliver_pending`]). So every stream receives events in order, and no operation waits
/// for the whole publish.
#[derive(Debug)]
pub(crate) struct PendingBroadcast {
    pub(crate) seq: u64,
    pub(crate) audience: Audience,
    /// Indexes of the exceptions, sorted.
    pub(crate) except: Box<[u32]>,
    pub(crate) message: Arc<Message>,
}

impl PendingBroadcast {
    fn covers(&self, slot: &Slot) -> bool {
        let in_audience = match self.audience {
            Audience::All => true,
            Audience::Group(group) => slot
                .memberships
                .iter()
                .any(|membership| membership.group == group),
        };
        in_audience && !self.excepts(slot.stream.place)
    }

    pub(crate) fn excepts(&self, place: u32) -> bool {
        !self.except.is_empty() && self.except.binary_search(&place).is_ok()
    }
}

/// Work that remains after the manager's lock is released.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    wakers: SmallVec<[Waker; 8]>,
    /// Streams that must end because their queue was full.
    pub(crate) full: Vec<u32>,
    /// Streams that lost events, for the hooks.
    pub(crate) dropped: Vec<(Arc<StreamState>, u32)>,
    pub(crate) queued: u64,
    pub(crate) dropped_events: u64,
}

impl Effects {
    pub(crate) fn wake_later(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.wakers.extend(wakers);
    }

    /// Wakes transports and calls hooks. This runs foreign code, so no lock can be held.
    pub(crate) fn release(&mut self, hooks: &dyn Hooks) {
        self.wakers.drain(..).for_each(Waker::wake);
        self.dropped
            .drain(..)
            .for_each(|(stream, events)| hooks.dropped(&stream.info(), events));
    }
}

/// One critical section of the manager's lock.
#[derive(Debug)]
pub(crate) struct Tx<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) now: Millis,
    /// The same time as uptime, which never wraps around.
    pub(crate) uptime_ms: u64,
    pub(crate) out: Effects,
}

/// One event at its position in the order.
#[derive(Clone, Copy)]
pub(crate) struct Fanout<'a> {
    pub(crate) rules: &'a Rules,
    /// Unfinished publishes that precede this position.
    pub(crate) older: &'a [Arc<PendingBroadcast>],
    pub(crate) seq: u64,
    pub(crate) now: Millis,
}

impl Fanout<'_> {
    /// Queues the event for one stream, after all events of the stream that precede it.
    pub(crate) fn deliver(&self, slot: &Slot, message: &Message, out: &mut Effects) {
        let mut state = slot.stream.queue.lock();
        if state.served >= self.seq {
            return;
        }
        self.settle_state(slot, &mut state, out);
        self.push(slot, &mut state, message, out);
        state.served = self.seq;
    }

    /// Delivers to a stream all unfinished publishes that precede this position.
    ///
    /// Must be called before a change of a stream's memberships, or of its position in a group.
    /// Then every unfinished publish finds the memberships as they were at its own position in the
    /// order.
    pub(crate) fn deliver_pending(&self, slot: &Slot, out: &mut Effects) {
        if !self.older.is_empty() {
            self.settle_state(slot, &mut slot.stream.queue.lock(), out);
        }
    }

    fn settle_state(&self, slot: &Slot, state: &mut QueueState, out: &mut Effects) {
        for job in self.older {
            if job.seq > state.served {
                if job.covers(slot) {
                    self.push(slot, state, &job.message, out);
                }
                state.served = job.seq;
            }
        }
    }

    fn push(&self, slot: &Slot, state: &mut QueueState, message: &Message, out: &mut Effects) {
        // A stream that catches up reads logged events from the log.
        if state.is_catching() && matches!(message.mark, Mark::Logged(_) | Mark::Jump(_)) {
            return;
        }
        let frame = message.frame(&self.rules.dialects, slot.stream.dialect);
        // A dialect can encode an event as nothing.
        if frame.is_empty() {
            return;
        }
        let pushed = match (state.is_catching(), message.mark) {
            (true, Mark::Unlogged(after)) => {
                state.push_unlogged(after, frame, self.rules.bounds, slot.stream.overflow)
            }
            _ => state.push(frame, self.rules.bounds, slot.stream.overflow, self.now),
        };
        match pushed {
            Pushed::Queued { wake, dropped } => {
                out.queued += 1;
                out.wakers.extend(wake);
                if dropped > 0 {
                    out.dropped_events += u64::from(dropped);
                    out.dropped.push((Arc::clone(&slot.stream), dropped));
                }
            }
            Pushed::Full => out.full.push(slot.stream.place),
            Pushed::Closed => {}
        }
    }
}
