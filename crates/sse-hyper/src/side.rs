//! What a connection, its socket and its service tell each other.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use sse_core::Ending;

/// What a connection, its socket and its service tell each other, in one allocation.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// The stream in the latest answer, on its way from the service to the connection.
    ending: Mutex<Option<Ending>>,
    /// Whether the socket is to be reset when it is dropped.
    aborted: AtomicBool,
    /// Whether the latest write waits for the client.
    blocked: AtomicBool,
}

impl Side {
    pub(crate) fn put(&self, ending: Option<Ending>) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }

    pub(crate) fn take(&self) -> Option<Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}
