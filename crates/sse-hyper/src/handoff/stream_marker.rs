//! How a server learns that a response is a stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sse_core::{Closed, Session};

/// In a response's extensions: lets the server that carries the stream have it, unless its body was
/// polled before.
#[derive(Debug, Clone)]
pub(crate) struct StreamMarker(pub(crate) SessionSlot);

/// Where the body of a response and its mark have the session in common: whoever comes first takes
/// it.
///
/// Extensions must be cloneable, and a middleware may drop the body and keep the extensions, so the
/// session goes with the body. What is in it is boxed, since the empty slot stays for as long as
/// the body is kept.
#[derive(Debug, Clone)]
pub(crate) struct SessionSlot(Arc<Mutex<Option<Box<Content>>>>);

#[derive(Debug)]
enum Content {
    Waiting(Session),
    /// The body has it, and the server still wants to know of its end.
    Polled(Closed),
}

impl SessionSlot {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(Content::Waiting(
            session,
        ))))))
    }

    /// For the body, which polls it from here on.
    pub(crate) fn poll(&self) -> Option<Session> {
        let has_mark = Arc::strong_count(&self.0) > 1;
        self.take_and_leave(|session| has_mark.then(|| Box::new(Content::Polled(session.ending()))))
    }

    /// For the server, which polls it in the body's place.
    pub(crate) fn take(&self) -> Option<Session> {
        self.take_and_leave(|_| None)
    }

    /// What the body says of its length while nobody has polled it: a bound that no stream reaches,
    /// and that no other body gives.
    ///
    /// A body around it that says the same passes the bytes on as they are. One that changes their
    /// number does not know a bound, or another one; passing this one on, it would make
    /// `Content-Length` wrong for every ordinary answer.
    pub(crate) fn bound(&self) -> u64 {
        1 << 63 | Arc::as_ptr(&self.0).addr() as u64
    }

    /// Whether a server took the stream.
    pub(crate) fn is_empty(&self) -> bool {
        self.content().is_none()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.content().as_deref(), Some(Content::Waiting(_)))
    }

    /// What tells of the end of the stream, for the server that carries it.
    pub(crate) fn ending(&self) -> Option<Closed> {
        let mut content = self.content();
        if let Some(Content::Waiting(session)) = content.as_deref() {
            return Some(session.ending());
        }
        match *content.take()? {
            Content::Polled(ending) => Some(ending),
            Content::Waiting(_) => None,
        }
    }

    fn take_and_leave(
        &self,
        leave: impl FnOnce(&Session) -> Option<Box<Content>>,
    ) -> Option<Session> {
        let mut content = self.content();
        match *content.take()? {
            Content::Waiting(session) => {
                *content = leave(&session);
                Some(session)
            }
            polled @ Content::Polled(_) => {
                *content = Some(Box::new(polled));
                None
            }
        }
    }

    fn content(&self) -> MutexGuard<'_, Option<Box<Content>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
