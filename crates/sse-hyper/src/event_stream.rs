//! A one-off stream as an HTTP body.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::Response;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use sse_core::{EventItem, EventStream};

use crate::response::stream_headers;

pin_project! {
    /// The body of a one-off stream. An error of the stream breaks off the body.
    #[derive(Debug)]
    pub struct EventBody<S> {
        #[pin]
        stream: EventStream<S>,
    }
}

/// Creates the response that carries a one-off stream: 200 with
/// [`STREAM_HEADERS`](sse_core::dialect::STREAM_HEADERS).
///
/// No manager knows the stream, so a shutdown does not end it. The stream has until the shutdown
/// deadline to end on its own.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use sse_core::{Event, EventStream};
///
/// let tokens = stream::iter(["Hello", " world"]).map(Event::text);
/// let response = sse_hyper::event_stream(EventStream::new(tokens));
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// ```
#[must_use]
pub fn event_stream<S>(stream: EventStream<S>) -> Response<EventBody<S>>
where
    S: Stream<Item: EventItem>,
{
    let mut response = Response::new(EventBody { stream });
    *response.headers_mut() = stream_headers();
    response
}

impl<S> Body for EventBody<S>
where
    S: Stream<Item: EventItem>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.project().stream.poll_next(cx).map_ok(Frame::data)
    }
}
