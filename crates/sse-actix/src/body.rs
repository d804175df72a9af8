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

/// A live stream. Dropping the body disconnects the client.
///
/// All tasks of a worker take turns on its one thread, in the order in which they were woken. A
/// stream that is woken by an event yields to the other tasks once. Events that they publish are
/// then part of the same write, which costs a hundred times as much as a turn.
#[derive(Debug)]
pub(crate) struct SessionBody {
    session: Session,
    /// Set if the other tasks had their turn since the last write.
    waited: bool,
}

impl SessionBody {
    pub(crate) fn new(session: Session) -> Self {
        // The first block is complete before other tasks can add to it.
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

/// The body of the response to a HEAD request. The length of a stream is not specified (RFC 9110,
/// section 8.6).
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
    /// A one-off stream. An error of the stream breaks the body off.
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
