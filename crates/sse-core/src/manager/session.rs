//! One live stream, as its transport holds it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::{
    dialect::{farewell::Farewell, hello::Hello, reason::DisconnectReason},
    event::{cursor::Place, event_id::EventId, frame::Frame},
    id::{
        client_id::ClientId,
        names::{Topic, UserId},
    },
    log::{
        fetched_page::FetchedPage,
        gap::{Gap, GapReason},
        page_cache::Lost,
    },
    manager::{inner::Inner, timer},
    sequencer::replay::ReplayStep,
    stream::{
        backlog::{Frames, Limit, events_in},
        end_waiters::WatcherKey,
        queue::Batch,
        shared::StreamState,
    },
};

/// How many bytes leave as one buffer at most, unless one event is larger.
const BUFFER: usize = 64 << 10;

/// How many frames leave at once at most.
const FRAMES: usize = 1024;

/// So many steps a stream that catches up takes in one poll, if it finds nothing that it is meant
/// by.
const STEPS_PER_TURN: usize = 64;

/// One live stream. Dropping it is the disconnect.
///
/// As a [`Stream`] it yields buffers of whole events, several waiting ones as one buffer;
/// [`Session::poll_frames`] is for transports that write shared frames themselves. Either begins
/// with the `connection` block and ends with `None`, after the last block if the server ended it.
/// The stream is fused. Polling is cancel safe: what was not yielded still waits.
///
/// A transport that was told to end and does not poll any more, because it is blocked, is given up:
/// at once when the stream was ended as stalled, else after `connection_timeout`. Then the stream
/// is gone for the manager, its hooks and its statistics, and what waited is dropped; a transport
/// that polls after all gets a `gap` and the end.
#[must_use = "a dropped session is a disconnected client"]
pub struct Session {
    shared: Arc<StreamState>,
    manager: Arc<Inner>,
    /// What only few streams have, or only at first.
    extra: Option<Box<Extra>>,
}

/// What only few streams have, or only at first.
#[derive(Debug)]
struct Extra {
    /// There until the first poll.
    hello: Option<Box<Hello>>,
    /// What the client has for its last event id; only in dialects that restore it.
    last_id: Option<LastId>,
    /// Whether it is given what it missed.
    catching: bool,
}

#[derive(Debug, Default)]
struct LastId(Option<EventId>);

impl Session {
    /// With the last event id that the client sent.
    pub(crate) fn new(
        shared: Arc<StreamState>,
        manager: Arc<Inner>,
        hello: Hello,
        last_event_id: Option<String>,
        catching: bool,
    ) -> Self {
        let restores = manager.rules.dialects.get(shared.dialect).restores_ids();
        let last_id = restores.then(|| LastId(last_event_id.and_then(|id| EventId::new(id).ok())));
        let extra = Extra {
            hello: Some(Box::new(hello)),
            last_id,
            catching,
        };
        Self {
            shared,
            manager,
            extra: Some(Box::new(extra)),
        }
    }

    /// The stream's client id.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.shared.id
    }

    /// Whose stream it is.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.shared.user.as_ref()
    }

    /// Joins a topic; `false` when the stream was in it, has as many as it may, the name is longer
    /// than it may be, or the stream is ending.
    pub fn join(&self, topic: &Topic) -> bool {
        self.manager.join(self.shared.id, topic)
    }

    /// Leaves a topic; `false` when the stream was not in it, or is ending.
    pub fn leave(&self, topic: &Topic) -> bool {
        self.manager.leave(self.shared.id, topic)
    }

    /// Resolves when the stream is over: the manager ended it, or it was dropped.
    ///
    /// For servers: a transport that is blocked does not poll the session, so it does not learn
    /// that it should close.
    pub fn ending(&self) -> Closed {
        Closed {
            shared: Arc::clone(&self.shared),
            key: None,
        }
    }

    /// Takes waiting frames, oldest first: up to `bytes`, but at least one.
    ///
    /// `Ready(Some(n))` has appended `n` frames, at least one; `Ready(None)` is the end.
    pub fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        out: &mut Vec<Frame>,
    ) -> Poll<Option<usize>> {
        if let Some(frame) = self.take_only() {
            out.push(frame);
            return Poll::Ready(Some(1));
        }
        let frames = ready!(self.poll_batch(
            cx.waker(),
            Limit {
                frames: FRAMES,
                bytes
            }
        ));
        let count = frames.as_ref().map(Frames::len);
        out.extend(frames.into_iter().flatten());
        Poll::Ready(count)
    }

    /// The frame that waits if it is the only one and nothing is to be put around it: most wakes
    /// bring just that.
    fn take_only(&mut self) -> Option<Frame> {
        if self.extra.is_some() {
            return None;
        }
        let frame = self.shared.queue.take_only()?;
        self.count(u64::from(events_in(&frame)), frame.len() as u64);
        Some(frame)
    }

    /// Gives back what is not needed any more.
    fn shed(&mut self) {
        self.extra
            .take_if(|extra| extra.hello.is_none() && extra.last_id.is_none() && !extra.catching);
    }

    fn poll_batch(&mut self, waker: &Waker, limit: Limit) -> Poll<Option<Frames>> {
        if let Some(hello) = self.extra.as_mut().and_then(|extra| extra.hello.take()) {
            timer::ensure(&self.manager);
            let dialects = &self.manager.rules.dialects;
            let frame = dialects.encode(self.shared.dialect, |dialect, out| {
                dialect.hello(&hello, out);
            });
            if !frame.is_empty() {
                let frames = self.restored(std::iter::once(frame).collect());
                self.shed();
                return Poll::Ready(Some(self.counted(frames)));
            }
        }
        self.shed();
        if self.extra.as_ref().is_some_and(|extra| extra.catching)
            && let Some(frames) = ready!(self.poll_missed(waker, limit))
        {
            return Poll::Ready(Some(frames));
        }
        let mut batch = Batch::default();
        while ready!(self.shared.queue.poll_take(
            waker,
            limit,
            || self.manager.clock.now(),
            &mut batch
        )) {
            let frames = self.frames(std::mem::take(&mut batch));
            let frames = self.restored(frames);
            // A dialect may have no words for a gap or an end, and no bytes would mean the end to a
            // transport.
            if !frames.is_empty() {
                return Poll::Ready(Some(self.counted(frames)));
            }
        }
        Poll::Ready(None)
    }

    /// Takes what the client missed; `None` when it has all, and is live.
    fn poll_missed(&mut self, waker: &Waker, limit: Limit) -> Poll<Option<Frames>> {
        let stream = (self.shared.place, self.shared.id);
        let mut feed: Option<Arc<FetchedPage>> = None;
        for _ in 0..STEPS_PER_TURN {
            let (frames, replayed) = self.manager.with_sequencer(|order, hold| {
                order.replay(stream, limit, feed.as_deref(), waker, hold)
            });
            if let Some(extra) = &mut self.extra {
                extra.catching = !matches!(replayed, ReplayStep::Live);
            }
            let frames = self.restored(frames);
            if !frames.is_empty() {
                return Poll::Ready(Some(self.counted(frames)));
            }
            feed = match replayed {
                ReplayStep::More => None,
                ReplayStep::Live => {
                    self.shed();
                    return Poll::Ready(None);
                }
                ReplayStep::Waiting => return Poll::Pending,
                ReplayStep::Backplane(after) => match self.manager.reader.get(&after) {
                    None if self
                        .manager
                        .with_sequencer(|order, _| order.wait_for_part(stream, &after)) =>
                    {
                        self.manager.reader.ask();
                        return Poll::Pending;
                    }
                    None => None,
                    Some(Ok(segment)) => Some(segment),
                    Some(Err(Lost { reason, to })) => {
                        self.manager
                            .with_sequencer(|order, _| order.replay_lost(stream, reason, &to));
                        None
                    }
                },
            };
        }
        // There may be much to be looked for; others of its thread have their turn.
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Puts what the transport must be told around what waited.
    fn frames(&self, batch: Batch) -> Frames {
        let mut frames = batch.frames;
        if let Some((dropped, to)) = batch.gap {
            frames.insert(0, self.gap(Some(dropped), to));
        }
        if batch.gap_at_end {
            frames.push(self.gap(None, None));
        }
        if let Some(farewell) = batch.farewell {
            frames.push(self.farewell(&farewell));
        }
        frames.retain(|frame| !frame.is_empty());
        frames
    }

    /// Puts the client's last event id behind events with an empty one.
    fn restored(&mut self, frames: Frames) -> Frames {
        let last_id = self.extra.as_mut().and_then(|extra| extra.last_id.as_mut());
        let Some(LastId(last_id)) = last_id else {
            return frames;
        };
        let dialects = &self.manager.rules.dialects;
        let mut all = Frames::with_capacity(frames.len());
        for frame in frames {
            let id = frame.last_id().cloned();
            all.push(frame);
            match (id, last_id.as_ref()) {
                (Some(id), _) if !id.as_str().is_empty() => *last_id = Some(id),
                (Some(_), Some(last)) => {
                    let restore = dialects.encode(self.shared.dialect, |dialect, out| {
                        dialect.restore(last, out);
                    });
                    all.extend(Some(restore).filter(|frame| !frame.is_empty()));
                }
                _ => {}
            }
        }
        all
    }

    fn gap(&self, dropped: Option<u32>, to: Option<Place>) -> Frame {
        let to = {
            let mut order = self.manager.order.lock();
            order.count_gap(GapReason::Overflow);
            to.and_then(|to| order.log.as_ref()?.window.cursor_at(to))
        };
        let event = Gap::overflow(dropped, to).to_event();
        let dialects = &self.manager.rules.dialects;
        dialects.encode(self.shared.dialect, |dialect, out| {
            dialect.event(&event, out);
        })
    }

    fn farewell(&self, farewell: &Farewell) -> Frame {
        let dialects = &self.manager.rules.dialects;
        dialects.encode(self.shared.dialect, |dialect, out| {
            dialect.end(farewell, out);
        })
    }

    fn counted(&mut self, frames: Frames) -> Frames {
        self.count(
            frames.iter().map(|frame| u64::from(events_in(frame))).sum(),
            frames.iter().map(|frame| frame.len() as u64).sum(),
        );
        frames
    }

    fn count(&mut self, events: u64, bytes: u64) {
        self.shared.took(bytes);
        self.manager.delivered.add(events);
        self.manager.bytes.add(bytes);
    }
}

impl Stream for Session {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(frame) = self.take_only() {
            return Poll::Ready(Some(frame.event()));
        }
        let frames = ready!(self.poll_batch(
            cx.waker(),
            Limit {
                frames: FRAMES,
                bytes: BUFFER
            }
        ));
        Poll::Ready(frames.map(|frames| match &frames[..] {
            [frame] => frame.event(),
            frames => {
                let mut buffer = BytesMut::with_capacity(frames.iter().map(Frame::len).sum());
                frames
                    .iter()
                    .for_each(|frame| buffer.extend_from_slice(frame.as_event()));
                buffer.freeze()
            }
        }))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(closed) = self.shared.queue.close() {
            self.manager.released(&self.shared, closed);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("client_id", &self.shared.id)
            .finish_non_exhaustive()
    }
}

/// Resolves with the reason when a stream is over; see [`Session::ending`]. Any number may wait.
#[must_use = "futures do nothing unless polled"]
pub struct Closed {
    shared: Arc<StreamState>,
    key: Option<WatcherKey>,
}

impl Closed {
    /// Whether the session was dropped, its transport having taken everything or given up, or the
    /// manager has given up on it.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.shared.queue.is_closed()
    }
}

impl Future for Closed {
    type Output = DisconnectReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        let Self { shared, key } = &mut *self;
        shared.queue.poll_ending(key, cx.waker())
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.queue.forget_watcher(key);
        }
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("client_id", &self.shared.id)
            .finish()
    }
}
