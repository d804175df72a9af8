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
    /// Sends a payload to the [handlers](Manager::on_signal) of every node on the backplane, this
    /// node included: now, and at most once.
    ///
    /// # Errors
    /// [`BackplaneError`]; [`BackplaneError::Rejected`] without a backplane.
    pub async fn signal(&self, payload: &[u8]) -> Result<(), BackplaneError> {
        self.inner.signal(MESSAGE, payload).await
    }

    /// Adds a handler of the [signals](Manager::signal) of every node, this node included. The
    /// handler stays until the manager is dropped.
    ///
    /// The manager listens to signals once it [follows](Manager::follow) the log of its backplane;
    /// earlier signals are not received.
    pub fn on_signal(&self, handler: Arc<dyn SignalHandler>) {
        self.inner.signal_handlers.lock().push(handler);
    }

    /// Returns the backplane; `None` if events stay in this process.
    #[must_use]
    pub fn backplane(&self) -> Option<&Arc<dyn Backplane>> {
        self.inner.backplane.as_ref()
    }
}

/// First byte of a signal that carries an event.
pub(crate) const EVENT: u8 = 1;

/// First byte of a signal that carries a payload of the app.
pub(crate) const MESSAGE: u8 = 2;

impl Inner {
    /// Sends an event to every other node, outside the log.
    pub(crate) async fn signal_event(&self, envelope: &[u8]) -> Result<(), BackplaneError> {
        self.signal(EVENT, envelope).await
    }

    async fn signal(&self, kind: u8, payload: &[u8]) -> Result<(), BackplaneError> {
        let Some(backplane) = &self.backplane else {
            return Err(BackplaneError::rejected("no backplane is configured"));
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
