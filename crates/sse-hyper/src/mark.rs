//! How a server learns that a response is a stream.

use std::sync::{Arc, Mutex, PoisonError};

use sse_core::Ending;

/// In a response's extensions: tells the server that carries the stream when it is over.
///
/// Extensions must be cloneable, so the one `Ending` is in a place that whoever asks first empties.
#[derive(Debug, Clone)]
pub(crate) struct StreamMark(Arc<Mutex<Option<Ending>>>);

impl StreamMark {
    pub(crate) fn new(ending: Ending) -> Self {
        Self(Arc::new(Mutex::new(Some(ending))))
    }

    pub(crate) fn take(&self) -> Option<Ending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
