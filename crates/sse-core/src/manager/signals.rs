//! Signals to other nodes.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use crate::{
    backplane::{
        Backplane, BackplaneError, RESPONSE_TIMEOUT, acceptance::Duty,
        signal_handler::SignalHandler, within,
    },
    manager::{Manager, inner::Inner},
};

impl Manager {
    /// Tells every node on the backplane, this one included, what their
    /// [handlers](Manager::on_signal) hear: at most once, now.
    ///
    /// # Errors
    /// [`BackplaneError`]; [`BackplaneError::Rejected`] where there is no backplane.
    pub async fn signal(&self, payload: &[u8]) -> Result<(), BackplaneError> {
        self.inner.signal(MESSAGE, payload).await
    }

    /// Hears what nodes [signal](Manager::signal) from now on, besides those who do already.
    pub fn on_signal(&self, handler: Arc<dyn SignalHandler>) {
        self.inner.signal_handlers.lock().push(handler);
    }

    /// Where events go and come from; `None` where that is this process alone.
    #[must_use]
    pub fn backplane(&self) -> Option<&Arc<dyn Backplane>> {
        self.inner.backplane.as_ref()
    }
}

/// What a signal is, by its first byte.
pub(crate) const EVENT: u8 = 1;

pub(crate) const MESSAGE: u8 = 2;

impl Inner {
    /// Sends an event to every other node, beside the log.
    pub(crate) async fn signal_event(&self, envelope: &[u8]) -> Result<(), BackplaneError> {
        self.signal(EVENT, envelope).await
    }

    async fn signal(&self, kind: u8, payload: &[u8]) -> Result<(), BackplaneError> {
        let Some(backplane) = &self.backplane else {
            return Err(BackplaneError::rejected("there is no backplane"));
        };
        let mut bytes = BytesMut::with_capacity(1 + payload.len());
        bytes.put_u8(kind);
        bytes.put_slice(payload);
        let size = bytes.len();
        let signalled = within(RESPONSE_TIMEOUT, backplane.signal(bytes.freeze())).await;
        self.acceptance
            .note(Duty::Signal, &**backplane, size, &signalled);
        signalled
    }
}
