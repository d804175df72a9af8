//! Streams as bodies of Actix.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use sse_core::{EventItem, EventStream, Session};

/// A live stream. Dropping it is the disconnect.
///
/// Everything of a worker takes turns on its one thread, in the order in which it was woken. A
/// stream that wakes to an event lets the others go first, once: what they publish is then in the
/// same write, which costs a hundred times as much as a turn.
#[derive(Debug)]
pub(crate) struct SessionBody {
    session: Session,
    /// Whether the others had their turn since the last write.
    waited: bool,
}

impl SessionBody {
    pub(crate) fn new(session: Session) -> Self {
        // The first block is there before anybody could add to it.
        Self {
            session,
            waited: true,
        }
    }
}

impl MessageBody for SessionBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.session).poll_next(cx);
        self.waited = polled.is_ready();
        polled.map(|bytes| bytes.map(Ok))
    }
}

/// What a HEAD request gets: of a stream's length nothing is said (RFC 9110, section 8.6).
#[derive(Debug)]
pub(crate) struct HeadersOnly;

impl MessageBody for HeadersOnly {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

pin_project! {
    /// A one-off stream. An error of it breaks the body off.
    pub(crate) struct EventBody<S> {
        #[pin]
        pub(crate) stream: EventStream<S>,
    }
}

impl<S> MessageBody for EventBody<S>
where
    S: Stream<Item: EventItem>,
{
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project()
            .stream
            .poll_next(cx)
            .map_err(|error| -> Box<dyn Error> { error })
    }
}
