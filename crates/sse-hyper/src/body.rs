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

use crate::mark::Slot;

/// The body of an answer: a live stream, or the few bytes of a refusal.
///
/// Dropping the body of a stream is the disconnect. It never fails: a stream ends, so that clients see a clean end.
#[derive(Debug)]
pub struct SseBody(Content);

/// Small, since it is kept while a reactor serves the stream.
#[derive(Debug)]
enum Content {
    /// Nobody has polled it, so a server may take the stream out of it.
    Waiting(Slot),
    Stream(Box<Session>),
    Whole(Box<Bytes>),
    /// In answer to a HEAD: what a stream would have been, so nothing is said of a length (RFC 9110, section 8.6).
    HeadersOnly,
    End,
}

impl SseBody {
    pub(crate) fn stream(slot: Slot) -> Self {
        Self(Content::Waiting(slot))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(Box::new(bytes)))
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
        if let Content::Waiting(slot) = &self.0 {
            self.0 = slot.poll().map_or(Content::End, |session| Content::Stream(Box::new(session)));
        }
        match &mut self.0 {
            Content::Stream(session) => {
                Pin::new(&mut **session).poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Content::Whole(bytes) if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut **bytes)))))
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Waiting(slot) => {
                let mut hint = SizeHint::default();
                hint.set_upper(slot.bound());
                hint
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for SseBody {
    fn drop(&mut self) {
        if let Content::Waiting(slot) = &self.0 {
            // Not under the slot's lock.
            drop(slot.take());
        }
    }
}
