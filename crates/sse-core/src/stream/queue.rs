//! What stands between the publishers and one stream's transport.

use std::task::{Poll, Waker};

use crate::{
    clock::Millis,
    dialect::{farewell::Farewell, reason::DisconnectReason},
    event::{
        cursor::{Before, Place},
        frame::Frame,
    },
    stream::{
        backlog::{Backlog, Frames, Limit, events_in},
        catch_up::{CatchUp, unlogged_in},
        end_waiters::{EndWaiters, WatcherKey},
        overflow::Overflow,
    },
    sync::{Mutex, MutexGuard},
};

/// How much may wait for one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// A bounded queue with one consumer.
///
/// Nothing foreign runs while its lock is held: wakers are handed out, to be woken and dropped
/// afterwards.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<QueueState>);

#[derive(Debug)]
pub(crate) struct QueueState {
    backlog: Backlog,
    /// Wakes the transport; there while it waits.
    consumer: Option<Waker>,
    phase: Phase,
    /// Place in the manager's order up to which this stream has everything it should.
    pub(crate) served: u64,
    /// Whether the transport has let go of the stream, or the manager has given up on it.
    closed: bool,
    /// Whether an event found no room: the stream is to be ended, and must not get what comes
    /// behind it.
    overflowed: bool,
    /// Whether that event is in no log, so that the client will not find it when it returns.
    overflow_is_lost: bool,
    queued_at: Millis,
    /// Since when the transport has taken nothing of what waits.
    waiting_since: Millis,
    pub(crate) delivered: u64,
    /// A word of every stream for what few have.
    rare: Option<Box<Rare>>,
}

/// What few streams have, and not for long.
#[derive(Debug, Default)]
struct Rare {
    /// Wake those who wait for the end of the stream.
    watchers: EndWaiters,
    /// What was dropped since the client was last told.
    dropped: Option<Dropped>,
    /// There while the client is given what it missed; nothing logged waits then.
    catching: Option<Box<CatchUp>>,
    /// There while the phase is [`Phase::Ending`].
    ending: Option<Ending>,
}

#[derive(Debug, Default)]
struct Dropped {
    events: u32,
    /// Where the last logged one stood.
    to: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Live,
    Ending(DisconnectReason),
    Ended(DisconnectReason),
}

#[derive(Debug)]
struct Ending {
    farewell: Farewell,
    /// Whether an event was lost behind what waits.
    gap: bool,
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// It waits; `dropped` older events made room for it.
    Queued { wake: Option<Waker>, dropped: u32 },
    /// There is no room, and the stream is to be ended.
    Full,
    /// The stream is ending.
    Closed,
}

/// Everything that a transport takes in one poll.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Events that were dropped before the frames, and up to where in the log.
    pub(crate) gap: Option<(u32, Option<Place>)>,
    pub(crate) frames: Frames,
    /// Whether events were lost behind the frames.
    pub(crate) gap_at_end: bool,
    pub(crate) farewell: Option<Farewell>,
}

/// What a look at a stream found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing was queued since, and nothing waits.
    Quiet(Millis),
    /// Something waits, and nothing was taken since.
    Waiting(Millis),
}

impl Queue {
    pub(crate) fn new(served: u64, now: Millis) -> Self {
        Self(Mutex::new(QueueState {
            backlog: Backlog::default(),
            consumer: None,
            phase: Phase::Live,
            served,
            closed: false,
            overflowed: false,
            overflow_is_lost: false,
            queued_at: now,
            waiting_since: now,
            delivered: 0,
            rare: None,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.0.lock()
    }

    /// Takes what waits, or registers the waker.
    ///
    /// `Ready(false)` is the end; a batch that ends with a farewell is `Ready(true)` once more.
    pub(crate) fn poll_take(
        &self,
        waker: &Waker,
        limit: Limit,
        now: impl FnOnce() -> Millis,
        batch: &mut Batch,
    ) -> Poll<bool> {
        let mut state = self.lock();
        let state_ref = &mut *state;
        if state_ref.take(limit, now, batch) {
            return Poll::Ready(true);
        }
        if matches!(state_ref.phase, Phase::Ended(_)) {
            return Poll::Ready(false);
        }
        let old = match &state_ref.consumer {
            Some(known) if known.will_wake(waker) => None,
            _ => state_ref.consumer.replace(waker.clone()),
        };
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Takes the frame that waits if it is the only one, which is the usual case, and there is
    /// nothing to tell besides.
    pub(crate) fn take_only(&self) -> Option<Frame> {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Live)
            || state
                .rare
                .as_ref()
                .is_some_and(|rare| rare.dropped.is_some())
        {
            return None;
        }
        let frame = state.backlog.pop_only()?;
        state.delivered += u64::from(events_in(&frame));
        Some(frame)
    }

    /// Says how the stream ended once it is ending, else registers the waker under the key.
    pub(crate) fn poll_ending(
        &self,
        key: &mut Option<WatcherKey>,
        waker: &Waker,
    ) -> Poll<DisconnectReason> {
        let mut state = self.lock();
        if let Some(reason) = state.ended() {
            return Poll::Ready(reason);
        }
        let old = state
            .rare
            .get_or_insert_default()
            .watchers
            .register(key, waker);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Waits no longer for the end.
    pub(crate) fn forget_watcher(&self, key: WatcherKey) {
        let mut state = self.lock();
        let waker = state
            .rare
            .as_mut()
            .and_then(|rare| rare.watchers.remove(key));
        state.shed();
        drop(state);
        drop(waker);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The transport is gone: nothing will be taken any more. Gives the reason that stands, unless
    /// it was told before.
    pub(crate) fn close(&self) -> Option<QueueClosed> {
        let mut state = self.lock();
        let reason = state.ended().unwrap_or(DisconnectReason::ClientLeft);
        state.phase = Phase::Ended(reason);
        let backlog = std::mem::take(&mut state.backlog);
        let consumer = state.consumer.take();
        let closed = state.close(reason);
        let rare = state.rare.take();
        drop(state);
        drop((backlog, consumer, rare));
        closed
    }

    /// Gives up on the transport of a stream that was ended: drops what waits. Should it come back,
    /// it is told of the gap and of the end. `None` if it let go before.
    pub(crate) fn abandon(&self) -> Option<QueueClosed> {
        let mut state = self.lock();
        let reason = state.ended()?;
        let backlog = std::mem::take(&mut state.backlog);
        if let Some(ending) = state.rare.as_mut().and_then(|rare| rare.ending.as_mut()) {
            ending.gap |= unlogged_in(backlog.iter()) > 0;
        }
        let closed = state.close(reason);
        drop(state);
        drop(backlog);
        closed
    }
}

/// What a stream was when its transport let go of it.
#[derive(Debug)]
pub(crate) struct QueueClosed {
    pub(crate) reason: DisconnectReason,
    pub(crate) delivered: u64,
    pub(crate) wake: Vec<Waker>,
}

impl QueueState {
    fn close(&mut self, reason: DisconnectReason) -> Option<QueueClosed> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        Some(QueueClosed {
            reason,
            delivered: self.delivered,
            wake: self.take_watchers().collect(),
        })
    }

    fn take_watchers(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let wakers = self.rare.as_mut().map(|rare| rare.watchers.take());
        wakers.into_iter().flatten()
    }

    /// Gives back the room of what it has no more.
    fn shed(&mut self) {
        self.rare.take_if(|rare| {
            let Rare {
                watchers,
                dropped,
                catching,
                ending,
            } = &**rare;
            watchers.is_empty() && dropped.is_none() && catching.is_none() && ending.is_none()
        });
    }

    /// Appends a frame, after making room as the overflow says.
    pub(crate) fn push(
        &mut self,
        frame: &Frame,
        bounds: Bounds,
        overflow: Overflow,
        now: Millis,
    ) -> Pushed {
        if !matches!(self.phase, Phase::Live) {
            return Pushed::Closed;
        }
        let room = if self.overflowed {
            None
        } else {
            self.make_room(frame, bounds, overflow)
        };
        let Some(dropped) = room else {
            self.overflowed = true;
            self.overflow_is_lost |= frame.place().is_none();
            return Pushed::Full;
        };
        Pushed::Queued {
            wake: self.append(frame.clone(), now),
            dropped,
        }
    }

    /// Appends a frame of the manager's own, which no bound holds back.
    pub(crate) fn append(&mut self, frame: Frame, now: Millis) -> Option<Waker> {
        if self.backlog.is_empty() {
            self.waiting_since = now;
        }
        self.backlog.push(frame);
        self.queued_at = now;
        self.consumer.take()
    }

    pub(crate) fn is_catching(&self) -> bool {
        self.rare
            .as_ref()
            .is_some_and(|rare| rare.catching.is_some())
    }

    pub(crate) fn catching(&mut self) -> Option<&mut CatchUp> {
        self.rare.as_mut()?.catching.as_deref_mut()
    }

    /// Lets the stream catch up before it is live.
    pub(crate) fn catch_up(&mut self, catching: CatchUp) {
        self.rare.get_or_insert_default().catching = Some(Box::new(catching));
    }

    fn take_catching(&mut self) -> Option<Box<CatchUp>> {
        let catching = self.rare.as_mut()?.catching.take();
        self.shed();
        catching
    }

    /// It has everything up to a place in the manager's order.
    pub(crate) fn caught_up(&mut self, served: u64) -> Option<Box<CatchUp>> {
        self.served = served;
        self.take_catching()
    }

    /// Takes the frames of the manager's own that wait for a stream that catches up.
    pub(crate) fn take_own(&mut self, out: &mut Frames) {
        while let Some(frame) = self.backlog.pop() {
            out.push(frame);
        }
    }

    /// The transport of a stream that catches up took something: it has not stalled.
    pub(crate) fn took(&mut self, events: u64, now: Millis) {
        self.delivered += events;
        self.waiting_since = now;
        self.queued_at = now;
    }

    /// Waits to be woken.
    pub(crate) fn wait(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.consumer {
            Some(known) if known.will_wake(waker) => None,
            _ => self.consumer.replace(waker.clone()),
        }
    }

    /// Wakes the transport although nothing was queued.
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        self.consumer.take()
    }

    /// Keeps an event that is not logged until the records before it are through, after making room
    /// as the overflow says.
    pub(crate) fn push_beside(
        &mut self,
        before: Before,
        frame: &Frame,
        bounds: Bounds,
        overflow: Overflow,
    ) -> Pushed {
        let is_live = matches!(self.phase, Phase::Live);
        let Some(catching) = self
            .rare
            .as_mut()
            .and_then(|rare| rare.catching.as_mut())
            .filter(|_| is_live)
        else {
            return Pushed::Closed;
        };
        let mut dropped = 0;
        while !self.overflowed {
            let (frames, bytes) = catching.beside();
            if frames == 0 || (frames < bounds.frames && bytes + frame.len() <= bounds.bytes) {
                catching.push_beside(before, frame.clone());
                self.lose(dropped, None);
                return Pushed::Queued {
                    wake: None,
                    dropped,
                };
            }
            if overflow == Overflow::Disconnect {
                break;
            }
            dropped += u32::from(catching.pop_beside().is_some());
        }
        (self.overflowed, self.overflow_is_lost) = (true, true);
        Pushed::Full
    }

    pub(crate) fn health(&self) -> Health {
        if let Some(catching) = self.rare.as_ref().and_then(|rare| rare.catching.as_ref()) {
            return if catching.waits_for_log() && self.backlog.is_empty() {
                Health::Quiet(self.queued_at)
            } else {
                Health::Waiting(self.waiting_since)
            };
        }
        if self.backlog.is_empty() {
            Health::Quiet(self.queued_at)
        } else {
            Health::Waiting(self.waiting_since)
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    pub(crate) fn ended(&self) -> Option<DisconnectReason> {
        match &self.phase {
            Phase::Live => None,
            Phase::Ending(reason) | Phase::Ended(reason) => Some(*reason),
        }
    }

    /// Lets the stream end after what waits, unless it is ending already. Gives the wakers to wake.
    pub(crate) fn end(&mut self, farewell: Farewell) -> impl Iterator<Item = Waker> + use<> {
        if matches!(self.phase, Phase::Live) {
            let gap = self.overflow_is_lost;
            if let Some(mut catching) = self.take_catching() {
                std::iter::from_fn(|| catching.pop_beside())
                    .for_each(|frame| self.backlog.push(frame));
            }
            self.phase = Phase::Ending(farewell.reason);
            self.rare.get_or_insert_default().ending = Some(Ending { farewell, gap });
        }
        self.consumer.take().into_iter().chain(self.take_watchers())
    }

    fn take(&mut self, limit: Limit, now: impl FnOnce() -> Millis, batch: &mut Batch) -> bool {
        if let Some(dropped) = self.rare.as_mut().and_then(|rare| rare.dropped.take()) {
            self.shed();
            // What was dropped may stand behind something that waits; then a client that goes on
            // behind the gap would miss that.
            let first = self.backlog.iter().find_map(Frame::place);
            let to = dropped
                .to
                .filter(|to| first.is_none_or(|first| first > *to));
            batch.gap = Some((dropped.events, to));
        }
        self.backlog.take(limit, &mut batch.frames);
        self.delivered += batch
            .frames
            .iter()
            .map(|frame| u64::from(events_in(frame)))
            .sum::<u64>();
        if !self.backlog.is_empty() {
            self.waiting_since = now();
            return true;
        }
        if let Phase::Ending(reason) = self.phase {
            self.phase = Phase::Ended(reason);
            if let Some(ending) = self.rare.as_mut().and_then(|rare| rare.ending.take()) {
                batch.gap_at_end = ending.gap;
                batch.farewell = Some(ending.farewell);
            }
            self.shed();
            return true;
        }
        batch.gap.is_some() || !batch.frames.is_empty()
    }

    /// How many events made room; `None` when there is none to be had.
    fn make_room(&mut self, frame: &Frame, bounds: Bounds, overflow: Overflow) -> Option<u32> {
        let mut dropped = 0;
        // A heartbeat that waits comes first if it is there, and says nothing that the event does
        // not.
        if !self.has_room(frame, bounds) && self.backlog.begins_with_own() {
            self.backlog.pop();
        }
        while !self.has_room(frame, bounds) {
            let victim = match overflow {
                Overflow::Disconnect => None,
                Overflow::DropOldest => self.backlog.pop(),
                Overflow::KeepLatest(by) => self
                    .backlog
                    .remove_replaced_by(frame, by)
                    .or_else(|| self.backlog.pop()),
            }?;
            self.lose(events_in(&victim), victim.place());
            dropped += events_in(&victim);
        }
        Some(dropped)
    }

    fn lose(&mut self, events: u32, to: Option<Place>) {
        if events > 0 {
            let dropped = self
                .rare
                .get_or_insert_default()
                .dropped
                .get_or_insert_default();
            dropped.events = dropped.events.saturating_add(events);
            dropped.to = to.or(dropped.to);
        }
    }

    /// One frame always has room: what may be published is bounded, but a dialect may make it
    /// longer.
    fn has_room(&self, frame: &Frame, bounds: Bounds) -> bool {
        let fits = self.backlog.len() < bounds.frames
            && self.backlog.bytes() + frame.len() <= bounds.bytes;
        fits || self.backlog.is_empty()
    }
}
