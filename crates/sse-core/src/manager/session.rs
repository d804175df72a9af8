//! A live stream, as its transport holds it.

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
    event::{cursor::LogPosition, event_id::EventId, frame::Frame},
    id::{client_id::ClientId, names::UserId},
    log::{
        fetched_page::FetchedPage,
        gap::{Gap, GapReason},
        page_cache::LostRecords,
    },
    manager::{inner::Inner, timer},
    sequencer::replay::ReplayStep,
    stream::{
        backlog::{Frames, Limit, events_in},
        end_waiters::WatcherKey,
        queue::QueueBatch,
        shared::StreamState,
    },
};

/// Maximum size of a buffer in bytes, unless a single event is larger.
const BUFFER: usize = 64 << 10;

/// Maximum number of frames that are taken at once.
const FRAMES: usize = 1024;

/// Maximum number of steps of a stream that catches up in one poll, if it finds no events of its
/// own.
const STEPS_PER_TURN: usize = 64;

/// A live stream. Dropping it disconnects the client.
///
/// As a [`Stream`], a session yields buffers of whole events, and combines several waiting events
/// into one buffer. [`Session::poll_frames`] is for transports that write shared frames themselves.
/// Both begin with the `connection` block and end with `None`, after the last block if the server
/// ended the stream. The stream is fused. Polling is cancel safe: events that were not yielded
/// still wait.
///
/// A transport that should end but does not poll, because it is blocked, is abandoned: at once if
/// the stream was ended as stalled, otherwise after `connection_timeout`. Then the manager, its
/// hooks and its statistics treat the stream as disconnected, and the waiting events are dropped.
/// If the transport polls again, it receives a `gap` and the end.
///
/// ```
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager, Topic};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let mut session = manager.connect(Handshake::new().user("42"))?;
/// session.join(&Topic::new("news")?)?;
/// manager.topic("news").publish(Event::text("hello")).await?;
///
/// session.next().await; // `connection`
/// assert_eq!(session.next().await.unwrap(), "data: hello\n\n");
///
/// drop(session);
/// assert_eq!(manager.stats().total_connections, 0);
/// # Ok(()) }
/// ```
#[must_use = "a dropped session is a disconnected client"]
pub struct Session {
    shared: Arc<StreamState>,
    pub(crate) manager: Arc<Inner>,
    /// Rarely used state, or state of a new stream.
    extra: Option<Box<Extra>>,
}

/// State that few streams have, or that streams have only at first.
#[derive(Debug)]
struct Extra {
    /// The greeting; set until the first poll.
    hello: Option<Box<Hello>>,
    /// Last event id of the client; set only in dialects that restore it.
    last_id: Option<LastId>,
    /// `true` while the client receives missed events.
    catching: bool,
}

#[derive(Debug, Default)]
struct LastId(Option<EventId>);

impl Session {
    /// Creates a session with the last event id that the client sent.
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

    /// Returns the client id of the stream.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.shared.id
    }

    /// Returns the user of the stream.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.shared.user.as_ref()
    }

    /// Resolves when the stream is over: the manager ended it, or the session was dropped.
    ///
    /// A server awaits this future as well as the transport: a blocked transport does not poll the
    /// session, and so does not notice the end.
    pub fn closed(&self) -> Closed {
        Closed {
            shared: Arc::clone(&self.shared),
            key: None,
        }
    }

    /// Takes waiting frames, oldest first: up to `bytes`, but at least one frame.
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

    /// Takes the waiting frame if it is the only one and no other frame belongs around it, which is
    /// the result of most polls.
    fn take_only(&mut self) -> Option<Frame> {
        if self.extra.is_some() {
            return None;
        }
        let frame = self.shared.queue.take_only()?;
        self.count(u64::from(events_in(&frame)), frame.len() as u64);
        Some(frame)
    }

    /// Frees the extra state if it is no longer used.
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
        let mut batch = QueueBatch::default();
        while ready!(self.shared.queue.poll_take(
            waker,
            limit,
            || self.manager.clock.now(),
            &mut batch
        )) {
            let frames = self.frames(std::mem::take(&mut batch));
            let frames = self.restored(frames);
            // A dialect can encode a gap or an end as nothing, and a transport would take an empty
            // buffer for the end.
            if !frames.is_empty() {
                return Poll::Ready(Some(self.counted(frames)));
            }
        }
        Poll::Ready(None)
    }

    /// Takes missed events. Returns `None` once the stream has received all of them and is live.
    fn poll_missed(&mut self, waker: &Waker, limit: Limit) -> Poll<Option<Frames>> {
        let stream = (self.shared.place, self.shared.id);
        let mut feed: Option<Arc<FetchedPage>> = None;
        for _ in 0..STEPS_PER_TURN {
            let (frames, replayed) = self.manager.with_sequencer(|sequencer, tx| {
                sequencer.replay(stream, limit, feed.as_deref(), waker, tx)
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
                        .with_sequencer(|sequencer, _| sequencer.wait_for_part(stream, &after)) =>
                    {
                        self.manager.reader.ask();
                        return Poll::Pending;
                    }
                    None => None,
                    Some(Ok(segment)) => Some(segment),
                    Some(Err(LostRecords { reason, to })) => {
                        self.manager.with_sequencer(|sequencer, _| {
                            sequencer.replay_lost(stream, reason, &to);
                        });
                        None
                    }
                },
            };
        }
        // A search can take long; other tasks of the thread run in between.
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Adds a gap and a farewell to the waiting frames.
    fn frames(&self, batch: QueueBatch) -> Frames {
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

    /// Adds the client's last event id after events with an empty id.
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

    fn gap(&self, dropped: Option<u32>, to: Option<LogPosition>) -> Frame {
        let to = {
            let mut sequencer = self.manager.sequencer.lock();
            sequencer.count_gap(GapReason::Overflow);
            to.and_then(|to| sequencer.log.as_ref()?.window.cursor_at(to))
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

/// A future that resolves with the reason once a stream is over; see [`Session::closed`]. Any
/// number of them can wait.
///
/// ```
/// use sse_core::{DisconnectOptions, DisconnectReason, Handshake, Manager, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new())?;
/// let closed = session.closed();
///
/// manager.disconnect(Target::All, DisconnectOptions::new()).await;
/// assert_eq!(closed.await, DisconnectReason::Kicked);
/// # Ok(()) }
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Closed {
    shared: Arc<StreamState>,
    key: Option<WatcherKey>,
}

impl Closed {
    /// Returns `true` if the session was dropped, because its transport took everything or failed,
    /// or if the manager has abandoned the session.
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
        f.debug_struct("Closed")
            .field("client_id", &self.shared.id)
            .finish()
    }
}
