//! Streams of events for a single client.

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

/// Size in bytes from which a buffer takes no further event.
const BUFFER: usize = 64 << 10;

/// Maximum number of events taken in one poll, so that a stream that is always ready lets other
/// tasks run.
const EVENTS: usize = 256;

/// Default interval without an event after which a heartbeat is sent.
const INTERVAL: Duration = Duration::from_secs(15);

/// Minimum heartbeat interval. A shorter interval would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);

/// Maximum heartbeat interval: longer than any stream lives, and short enough to be added to an
/// `Instant`.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

type BoxError = Box<dyn Error + Send + Sync>;

/// An item of a one-off stream: any [`IntoEvent`], or a `Result` of one.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use sse_core::{Event, EventStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A source that can fail yields results.
/// let items = stream::iter([Ok(Event::text("partial")), Err("model is overloaded")]);
/// let mut body = EventStream::new(items);
///
/// assert_eq!(body.next().await.unwrap().unwrap(), "data: partial\n\n");
/// assert!(body.next().await.unwrap().is_err());
/// # }
/// ```
pub trait EventItem {
    /// Converts the item into an event.
    ///
    /// # Errors
    /// Returns an error if the item is an error, or cannot be converted into an event.
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
    /// A stream of events for one client only, such as the tokens of an answer. The stream belongs
    /// to no manager.
    ///
    /// An `EventStream` wraps any [`Stream`] of [`EventItem`]s and yields buffers of whole events.
    /// Several ready events share one buffer, which takes no further event from 64 KiB on.
    /// Heartbeats are sent while the inner stream is quiet. The adapters turn an `EventStream` into
    /// a response: `sse_axum::event_stream(…)` and its siblings.
    ///
    /// The inner stream is polled only when the transport wants more, so a slow client slows the
    /// inner stream down. The inner stream is dropped when the client disconnects.
    ///
    /// If the inner stream yields an error, or an item that cannot be converted into an event, the
    /// error is returned after all earlier events and ends the stream. Transports then abort the
    /// body, so that the client does not take it for complete.
    ///
    /// Polling is cancel safe. Heartbeats need a tokio runtime with time; without it, polling a
    /// quiet stream panics.
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
        // Set once the stream has been quiet.
        timer: Option<Pin<Box<Sleep>>>,
        // Time of the next heartbeat. Events move it; the timer is reset only after it has elapsed.
        due: Option<Instant>,
        end: StreamEnd,
    }
}

/// The progress of a stream towards its end.
enum StreamEnd {
    NotYet,
    /// The inner stream failed. The error follows the events that were ready before it.
    Failing(BoxError),
    Ended,
}

impl<S> EventStream<S>
where
    S: Stream<Item: EventItem>,
{
    /// Creates a stream that sends a comment as heartbeat after every 15 s without an event.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            heartbeat: Some(Arc::new(CommentHeartbeat)),
            interval: INTERVAL,
            timer: None,
            due: None,
            end: StreamEnd::NotYet,
        }
    }

    /// Sets the heartbeat that replaces the default comment.
    pub fn heartbeat(mut self, heartbeat: impl Heartbeat) -> Self {
        self.heartbeat = Some(Arc::new(heartbeat));
        self
    }

    /// Sets the interval without events after which a heartbeat is sent, at least 10 ms.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// Disables heartbeats. The server then notices a client that disappeared silently only when it
    /// sends the next event.
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
        match std::mem::replace(self.as_mut().project().end, StreamEnd::Ended) {
            StreamEnd::NotYet => *self.as_mut().project().end = StreamEnd::NotYet,
            StreamEnd::Failing(error) => return Poll::Ready(Some(Err(error))),
            StreamEnd::Ended => return Poll::Ready(None),
        }
        let beat = ready!(self.poll_heartbeat(cx));
        Poll::Ready(Some(Ok(beat)))
    }
}

impl<S> EventStream<S>
where
    S: Stream<Item: EventItem>,
{
    /// Returns the ready events, encoded. Registers the waker if the inner stream has no more ready
    /// events.
    fn take_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Vec<u8> {
        let mut this = self.project();
        let mut buffer = Vec::new();
        let mut events = 0;
        while matches!(this.end, StreamEnd::NotYet) && buffer.len() < BUFFER {
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
                Poll::Ready(Some(Err(error))) => *this.end = StreamEnd::Failing(error),
                Poll::Ready(None) => *this.end = StreamEnd::Ended,
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
