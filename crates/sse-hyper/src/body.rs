//! A stream, or a refusal, as an HTTP body.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use sse_core::Session;

/// The body of an answer: a live stream, or the few bytes of a refusal.
///
/// Dropping the body of a stream is the disconnect. It never fails: a stream ends, so that clients see a clean end.
#[derive(Debug)]
pub struct SseBody(Content);

#[derive(Debug)]
enum Content {
    Stream(Session),
    Whole(Bytes),
    /// In answer to a HEAD: what a stream would have been, so nothing is said of a length (RFC 9110, section 8.6).
    HeadersOnly,
}

impl SseBody {
    pub(crate) fn stream(session: Session) -> Self {
        Self(Content::Stream(session))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(bytes))
    }

    pub(crate) fn headers_only() -> Self {
        Self(Content::HeadersOnly)
    }
}

impl Body for SseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Stream(session) => {
                Pin::new(session).poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Content::HeadersOnly => Poll::Ready(None),
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Stream(_) | Content::HeadersOnly => SizeHint::default(),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
