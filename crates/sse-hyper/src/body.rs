//! A stream, or a rejection, as an HTTP body.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use sse_core::Session;

use crate::handoff::stream_marker::SessionSlot;

/// The body of a response: a live stream, or the few bytes of a rejection.
///
/// Dropping the body of a stream disconnects the client. The body never fails: a stream ends, so
/// that clients see a clean end.
//
// The content is boxed because a middleware's body keeps this body while a reactor serves the
// stream. `None` is the end.
#[derive(Debug)]
pub struct SseBody(Mutex<Option<Box<BodyContent>>>);

#[derive(Debug)]
enum BodyContent {
    /// Not polled yet, so a server can take the stream out of the body.
    Waiting(SessionSlot),
    Stream(Session),
    Whole(Bytes),
    /// The response to a HEAD request. A stream would have followed, so the length is not specified
    /// (RFC 9110, section 8.6).
    HeadersOnly,
}

impl SseBody {
    pub(crate) fn stream(slot: SessionSlot) -> Self {
        Self::of(BodyContent::Waiting(slot))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::of(BodyContent::Whole(bytes))
    }

    pub(crate) fn headers_only() -> Self {
        Self::of(BodyContent::HeadersOnly)
    }

    fn of(content: BodyContent) -> Self {
        Self(Mutex::new(Some(Box::new(content))))
    }

    fn content(&self) -> MutexGuard<'_, Option<Box<BodyContent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content_mut(&mut self) -> &mut Option<Box<BodyContent>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for SseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let content = self.content_mut();
        if let Some(BodyContent::Waiting(slot)) = content.as_deref() {
            *content = slot
                .poll()
                .map(|session| Box::new(BodyContent::Stream(session)));
        }
        match content.as_deref_mut() {
            Some(BodyContent::Stream(session)) => Pin::new(session)
                .poll_next(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Some(BodyContent::Whole(bytes)) if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content().as_deref(), Some(BodyContent::Whole(bytes)) if bytes.is_empty())
    }

    /// Returns the bounds of the length. After a server has taken the stream, this call also
    /// releases the slot shared with that server. A holder of the body then cannot reach the
    /// stream.
    fn size_hint(&self) -> SizeHint {
        let mut content = self.content();
        match content.as_deref() {
            Some(BodyContent::Whole(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Some(BodyContent::Waiting(slot)) if slot.is_empty() => {
                let slot = content.take();
                drop(content);
                drop(slot);
                SizeHint::default()
            }
            Some(BodyContent::Waiting(slot)) => {
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
        if let Some(BodyContent::Waiting(slot)) = self.content_mut().as_deref() {
            // The session is dropped after the slot's lock is released.
            drop(slot.take());
        }
    }
}
