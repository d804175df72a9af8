//! The queue between the publishers and one stream's transport.

use std::task::{Poll, Waker};

use crate::{
    clock::Millis,
    dialect::{farewell::Farewell, reason::DisconnectReason},
    event::{cursor::LogPosition, frame::Frame},
    stream::{
        backlog::{Backlog, Frames, Limit, events_in},
        catch_up::{CatchUp, unlogged_in},
        end_waiters::{EndWaiters, WatcherKey},
        overflow::Overflow,
    },
    sync::{Mutex, MutexGuard},
};

/// Maximum size of the waiting events of one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueBounds {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// A bounded queue with one consumer.
///
/// No foreign code runs while its lock is held: methods return wakers for the caller to wake and
/// drop afterwards.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<QueueState>);

#[derive(Debug)]
pub(crate) struct QueueState {
    backlog: Backlog,
    /// Wakes the transport. Set while the transport waits.
    consumer: Option<Waker>,
    phase: StreamPhase,
    /// Position in the manager's order up to which this stream has received everything.
    pub(crate) served: u64,
    /// `true` if the transport has released the stream, or the manager has given up on the
    /// transport.
    closed: bool,
    /// `true` if an event found no room: the stream must end, and must not receive later events.
    overflowed: bool,
    /// `true` if that event is not logged, so that a returning client cannot recover it.
    overflow_is_lost: bool,
    queued_at: Millis,
    /// Time since when the transport has taken none of the waiting events.
    waiting_since: Millis,
    pub(crate) delivered: u64,
    /// Rarely used state, boxed so that most streams pay one word for it.
    rare: Option<Box<Rare>>,
}

/// State that few streams have, and only for a short time.
#[derive(Debug, Default)]
struct Rare {
    /// Wakers of tasks that wait for the end of the stream.
    watchers: EndWaiters,
    /// Events that were dropped since the client last received a gap.
    dropped: Option<Dropped>,
    /// Set while the client catches up; no logged event waits in the backlog then.
    catching: Option<Box<CatchUp>>,
    /// Set while the phase is [`StreamPhase::Ending`].
    ending: Option<StreamEnding>,
}

#[derive(Debug, Default)]
struct Dropped {
    events: u32,
    /// Position of the last dropped event that was logged.
    to: Option<LogPosition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamPhase {
    Live,
    Ending(DisconnectReason),
    Ended(DisconnectReason),
}

#[derive(Debug)]
struct StreamEnding {
    farewell: Farewell,
    /// `true` if an event was lost after the waiting events.
    gap: bool,
}

/// Outcome of a push.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// The frame waits; `dropped` older events made room for it.
    Queued { wake: Option<Waker>, dropped: u32 },
    /// The queue has no room, and the stream must end.
    Full,
    /// The stream is ending.
    Closed,
}

/// The result of one poll of a transport.
#[derive(Debug, Default)]
pub(crate) struct QueueBatch {
    /// Number of events that were dropped before the frames, and the last dropped position in the
    /// log.
    pub(crate) gap: Option<(u32, Option<LogPosition>)>,
    pub(crate) frames: Frames,
    /// `true` if events were lost after the frames.
    pub(crate) gap_at_end: bool,
    pub(crate) farewell: Option<Farewell>,
}

/// Result of a liveness check of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// No frame waits, and none was queued since this time.
    Quiet(Millis),
    /// Frames wait, and the transport has taken none since this time.
    Waiting(Millis),
}

impl Queue {
    pub(crate) fn new(served: u64, now: Millis) -> Self {
        Self(Mutex::new(QueueState {
            backlog: Backlog::default(),
            consumer: None,
            phase: StreamPhase::Live,
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

    /// Takes the waiting frames, or registers the waker.
    ///
    /// `Ready(false)` is the end; a batch that ends with a farewell is `Ready(true)` once more.
    pub(crate) fn poll_take(
        &self,
        waker: &Waker,
        limit: Limit,
        now: impl FnOnce() -> Millis,
        batch: &mut QueueBatch,
    ) -> Poll<bool> {
        let mut state = self.lock();
        let state_ref = &mut *state;
        if state_ref.take(limit, now, batch) {
            return Poll::Ready(true);
        }
        if matches!(state_ref.phase, StreamPhase::Ended(_)) {
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

    /// Takes the waiting frame if it is the only one, which is the usual case, and nothing else is
    /// to be reported.
    pub(crate) fn take_only(&self) -> Option<Frame> {
        let mut state = self.lock();
        if !matches!(state.phase, StreamPhase::Live)
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

    /// Returns the reason once the stream is ending; otherwise registers the waker under the key.
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

    /// Removes the waker that waits for the end.
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

    /// Records that the transport was dropped and takes nothing more. Returns the final state,
    /// unless an earlier call returned it.
    pub(crate) fn close(&self) -> Option<QueueClosed> {
        let mut state = self.lock();
        let reason = state.ended().unwrap_or(DisconnectReason::ClientLeft);
        state.phase = StreamPhase::Ended(reason);
        let backlog = std::mem::take(&mut state.backlog);
        let consumer = state.consumer.take();
        let closed = state.close(reason);
        let rare = state.rare.take();
        drop(state);
        drop((backlog, consumer, rare));
        closed
    }

    /// Abandons the transport of a stream that was ended, and drops the waiting events. If the
    /// transport polls again, it receives the gap and the end. Returns `None` if the transport has
    /// released the stream before.
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

/// Final state of a stream that its transport has released.
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

    /// Frees the rarely used state if nothing in it is set.
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

    /// Appends a frame, after making room as `overflow` says.
    pub(crate) fn push(
        &mut self,
        frame: &Frame,
        bounds: QueueBounds,
        overflow: Overflow,
        now: Millis,
    ) -> Pushed {
        if !matches!(self.phase, StreamPhase::Live) {
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

    /// Appends a frame of the manager itself, to which no bound applies.
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

    /// Makes the stream catch up before it becomes live.
    pub(crate) fn catch_up(&mut self, catching: CatchUp) {
        self.rare.get_or_insert_default().catching = Some(Box::new(catching));
    }

    fn take_catching(&mut self) -> Option<Box<CatchUp>> {
        let catching = self.rare.as_mut()?.catching.take();
        self.shed();
        catching
    }

    /// Records that the stream has received everything up to a position in the manager's order.
    pub(crate) fn caught_up(&mut self, served: u64) -> Option<Box<CatchUp>> {
        self.served = served;
        self.take_catching()
    }

    /// Takes the waiting frames of the manager itself from a stream that catches up.
    pub(crate) fn take_own(&mut self, out: &mut Frames) {
        while let Some(frame) = self.backlog.pop() {
            out.push(frame);
        }
    }

    /// Records that the transport of a stream that catches up took events, and so has not stalled.
    pub(crate) fn took(&mut self, events: u64, now: Millis) {
        self.delivered += events;
        self.waiting_since = now;
        self.queued_at = now;
    }

    /// Registers the waker of the transport.
    pub(crate) fn wait(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.consumer {
            Some(known) if known.will_wake(waker) => None,
            _ => self.consumer.replace(waker.clone()),
        }
    }

    /// Returns the waker of the transport, although no frame was queued.
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        self.consumer.take()
    }

    /// Holds an unlogged event until the stream has received the records that precede it, after
    /// making room as `overflow` says.
    pub(crate) fn push_unlogged(
        &mut self,
        after: LogPosition,
        frame: &Frame,
        bounds: QueueBounds,
        overflow: Overflow,
    ) -> Pushed {
        let is_live = matches!(self.phase, StreamPhase::Live);
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
            let (frames, bytes) = catching.unlogged_size();
            if frames == 0 || (frames < bounds.frames && bytes + frame.len() <= bounds.bytes) {
                catching.push_unlogged(after, frame.clone());
                self.lose(dropped, None);
                return Pushed::Queued {
                    wake: None,
                    dropped,
                };
            }
            if overflow == Overflow::Disconnect {
                break;
            }
            dropped += u32::from(catching.pop_unlogged().is_some());
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
            StreamPhase::Live => None,
            StreamPhase::Ending(reason) | StreamPhase::Ended(reason) => Some(*reason),
        }
    }

    /// Ends the stream after the waiting events, unless it is already ending. Returns the wakers to
    /// wake.
    pub(crate) fn end(&mut self, farewell: Farewell) -> impl Iterator<Item = Waker> + use<> {
        if matches!(self.phase, StreamPhase::Live) {
            let gap = self.overflow_is_lost;
            if let Some(mut catching) = self.take_catching() {
                std::iter::from_fn(|| catching.pop_unlogged())
                    .for_each(|frame| self.backlog.push(frame));
            }
            self.phase = StreamPhase::Ending(farewell.reason);
            self.rare.get_or_insert_default().ending = Some(StreamEnding { farewell, gap });
        }
        self.consumer.take().into_iter().chain(self.take_watchers())
    }

    fn take(&mut self, limit: Limit, now: impl FnOnce() -> Millis, batch: &mut QueueBatch) -> bool {
        if let Some(dropped) = self.rare.as_mut().and_then(|rare| rare.dropped.take()) {
            self.shed();
            // A dropped event can be later in the log than a waiting event. A client that continued
            // after the gap would then miss the waiting event.
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
        if let StreamPhase::Ending(reason) = self.phase {
            self.phase = StreamPhase::Ended(reason);
            if let Some(ending) = self.rare.as_mut().and_then(|rare| rare.ending.take()) {
                batch.gap_at_end = ending.gap;
                batch.farewell = Some(ending.farewell);
            }
            self.shed();
            return true;
        }
        batch.gap.is_some() || !batch.frames.is_empty()
    }

    /// Returns the number of events that were dropped to make room; `None` if no room can be made.
    fn make_room(&mut self, frame: &Frame, bounds: QueueBounds, overflow: Overflow) -> Option<u32> {
        let mut dropped = 0;
        // If a heartbeat waits, it is the first frame, and the event makes it redundant.
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

    fn lose(&mut self, events: u32, to: Option<LogPosition>) {
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

    /// Returns `true` if the frame fits. An empty backlog always has room for one frame: the size
    /// of published events is bounded, but a dialect can encode a longer frame.
    fn has_room(&self, frame: &Frame, bounds: QueueBounds) -> bool {
        let fits = self.backlog.len() < bounds.frames
            && self.backlog.bytes() + frame.len() <= bounds.bytes;
        fits || self.backlog.is_empty()
    }
}
