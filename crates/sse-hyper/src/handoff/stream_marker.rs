//! The mark of a response that carries a stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sse_core::{Closed, Session};

/// A mark in a response's extensions. The mark lets the server take over the stream, unless the
/// body was polled before.
#[derive(Debug, Clone)]
pub(crate) struct StreamMarker(pub(crate) SessionSlot);

/// The slot that a response's body and its mark share. The first of the two to take the session
/// owns the session.
///
/// Extensions must be cloneable, and a middleware can drop the body and keep the extensions, so
/// dropping the body drops the session too. The content is boxed, because the empty slot lives as
/// long as the body.
#[derive(Debug, Clone)]
pub(crate) struct SessionSlot(Arc<Mutex<Option<Box<SlotContent>>>>);

#[derive(Debug)]
enum SlotContent {
    Waiting(Session),
    /// The body has the session. The server still waits for the end of the stream.
    Polled(Closed),
}

impl SessionSlot {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(SlotContent::Waiting(
            session,
        ))))))
    }

    /// Takes the session for the body, which polls the session from here on.
    pub(crate) fn poll(&self) -> Option<Session> {
        let has_mark = Arc::strong_count(&self.0) > 1;
        self.take_and_leave(|session| {
            has_mark.then(|| Box::new(SlotContent::Polled(session.closed())))
        })
    }

    /// Takes the session for the server, which polls the session in place of the body.
    pub(crate) fn take(&self) -> Option<Session> {
        self.take_and_leave(|_| None)
    }

    /// Returns the upper bound of the body's length while the body is unpolled. No stream reaches
    /// this bound, and no other body returns the same bound.
    ///
    /// A wrapping body with the same bound passes the bytes on unchanged. A body that changes the
    /// number of bytes has no bound, or another bound: if it passed this bound on, `Content-Length`
    /// would be wrong for every ordinary response.
    pub(crate) fn bound(&self) -> u64 {
        1 << 63 | Arc::as_ptr(&self.0).addr() as u64
    }

    /// Returns `true` if a server has taken the stream.
    pub(crate) fn is_empty(&self) -> bool {
        self.content().is_none()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.content().as_deref(), Some(SlotContent::Waiting(_)))
    }

    /// Returns the future of the end of the stream, for the server that carries the stream.
    pub(crate) fn ending(&self) -> Option<Closed> {
        let mut content = self.content();
        if let Some(SlotContent::Waiting(session)) = content.as_deref() {
            return Some(session.closed());
        }
        match *content.take()? {
            SlotContent::Polled(ending) => Some(ending),
            SlotContent::Waiting(_) => None,
        }
    }

    fn take_and_leave(
        &self,
        leave: impl FnOnce(&Session) -> Option<Box<SlotContent>>,
    ) -> Option<Session> {
        let mut content = self.content();
        match *content.take()? {
            SlotContent::Waiting(session) => {
                *content = leave(&session);
                Some(session)
            }
            polled @ SlotContent::Polled(_) => {
                *content = Some(Box::new(polled));
                None
            }
        }
    }

    fn content(&self) -> MutexGuard<'_, Option<Box<SlotContent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
