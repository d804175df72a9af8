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
#[derive(Debug)]
pub(crate) struct SessionBody(pub(crate) Session);

impl MessageBody for SessionBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut self.0).poll_next(cx).map(|bytes| bytes.map(Ok))
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

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
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

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().stream.poll_next(cx).map_err(|error| -> Box<dyn Error> { error })
    }
}
