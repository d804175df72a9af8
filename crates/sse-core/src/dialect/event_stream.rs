//! A stream of events that is its client's alone.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    dialect::heartbeat::{CommentHeartbeat, Heartbeat},
    event::{Event, into_event::IntoEvent},
};

/// How many bytes leave as one buffer at most, unless one event is larger.
const BUFFER: usize = 64 << 10;

/// How many events are taken in one poll at most, so that a stream that is always ready lets others
/// run.
const EVENTS: usize = 256;

/// After so long without an event there is a heartbeat.
const INTERVAL: Duration = Duration::from_secs(15);

/// Less would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);

/// Longer than any stream lives, and short enough to be added to a point in time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

type BoxError = Box<dyn Error + Send + Sync>;

/// What a one-off stream consists of: whatever is [`IntoEvent`], or a `Result` of it.
pub trait EventItem {
    /// The event.
    ///
    /// # Errors
    /// The item was an error, or does not become an event.
    fn into_item(self) -> Result<Event, BoxError>;
}

impl<T: IntoEvent> EventItem for T {
    fn into_item(self) -> Result<Event, BoxError> {
        self.into_event().map_err(Into::into)
    }
}

impl<T: IntoEvent, E: Into<BoxError>> EventItem for Result<T, E> {
    fn into_item(self) -> Result<Event, BoxError> {
        self.map_err(Into::into)?.into_item()
    }
}

pin_project! {
    /// A stream of events made for one client and for nothing else, such as the tokens of an
    /// answer: no manager knows it.
    ///
    /// Made from any [`Stream`] of [`EventItem`]s, it is a stream of buffers of whole events
    /// (several that are ready leave as one, up to 64 KiB), with heartbeats while the inner one is
    /// quiet. Adapters answer with it: `sse_axum::event_stream(…)` and its siblings.
    ///
    /// The inner stream is polled only when the transport wants more, so a slow client slows it
    /// down; it is dropped when the client goes. An error of it, or an item that does not become an
    /// event, comes out after all events before it and is the end: transports break the body off,
    /// so that the client does not take it for a whole one.
    ///
    /// Polling is cancel safe. Heartbeats need a tokio runtime with time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use futures_util::{StreamExt, stream};
    /// use sse_core::{Event, EventStream};
    ///
    /// let tokens = stream::iter(["Hello", " world"]).map(Event::text);
    /// let mut body = EventStream::new(tokens);
    /// assert_eq!(body.next().await.unwrap().unwrap(), "data: Hello\n\ndata:  world\n\n");
    /// assert!(body.next().await.is_none());
    /// # }
    /// ```
    #[must_use = "answer with it"]
    pub struct EventStream<S> {
        #[pin]
        stream: S,
        heartbeat: Option<Arc<dyn Heartbeat>>,
        interval: Duration,
        // There once the stream was quiet.
        timer: Option<Pin<Box<Sleep>>>,
        // When the next heartbeat is due. Events move it; the timer follows when it has run out.
        due: Option<Instant>,
        end: End,
    }
}

/// How far a stream is from its end.
enum End {
    NotYet,
    /// After the events that were ready before it.
    Failing(BoxError),
    Ended,
}

impl<S> EventStream<S>
where
    S: Stream<Item: EventItem>,
{
    /// With a comment as heartbeat after every 15 s without an event.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            heartbeat: Some(Arc::new(CommentHeartbeat)),
            interval: INTERVAL,
            timer: None,
            due: None,
            end: End::NotYet,
        }
    }

    /// Another heartbeat than the comment.
    pub fn heartbeat(mut self, heartbeat: impl Heartbeat) -> Self {
        self.heartbeat = Some(Arc::new(heartbeat));
        self
    }

    /// How long the stream is quiet before a heartbeat, at least 10 ms.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// No heartbeats: a client that vanished without a word is noticed only when there is an event
    /// again.
    pub fn without_heartbeat(mut self) -> Self {
        self.heartbeat = None;
        self
    }
}

impl<S> Stream for EventStream<S>
where
    S: Stream<Item: EventItem>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let buffer = self.as_mut().take_ready(cx);
        if !buffer.is_empty() {
            *self.project().due = None;
            return Poll::Ready(Some(Ok(buffer.into())));
        }
        match std::mem::replace(self.as_mut().project().end, End::Ended) {
            End::NotYet => *self.as_mut().project().end = End::NotYet,
            End::Failing(error) => return Poll::Ready(Some(Err(error))),
            End::Ended => return Poll::Ready(None),
        }
        let beat = ready!(self.poll_heartbeat(cx));
        Poll::Ready(Some(Ok(beat)))
    }
}

impl<S> EventStream<S>
where
    S: Stream<Item: EventItem>,
{
    /// The events that are ready, encoded; registers the waker when that is all.
    fn take_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Vec<u8> {
        let mut this = self.project();
        let mut buffer = Vec::new();
        let mut events = 0;
        while matches!(this.end, End::NotYet) && buffer.len() < BUFFER {
            if events == EVENTS {
                if buffer.is_empty() {
                    cx.waker().wake_by_ref();
                }
                break;
            }
            match this
                .stream
                .as_mut()
                .poll_next(cx)
                .map(|item| item.map(EventItem::into_item))
            {
                Poll::Ready(Some(Ok(event))) => event.encode_to(&mut buffer),
                Poll::Ready(Some(Err(error))) => *this.end = End::Failing(error),
                Poll::Ready(None) => *this.end = End::Ended,
                Poll::Pending => break,
            }
            events += 1;
        }
        buffer
    }

    fn poll_heartbeat(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bytes> {
        let this = self.project();
        let Some(heartbeat) = this.heartbeat else {
            return Poll::Pending;
        };
        loop {
            let due = *this
                .due
                .get_or_insert_with(|| Instant::now() + *this.interval);
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(timer.as_mut().poll(cx));
            if Instant::now() < due {
                timer.as_mut().reset(due);
                continue;
            }
            *this.due = None;
            let beat = heartbeat.beat().encode();
            if !beat.is_empty() {
                return Poll::Ready(beat);
            }
        }
    }
}

impl<S> fmt::Debug for EventStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
