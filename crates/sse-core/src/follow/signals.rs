//! What goes from node to node beside the log.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use crate::{
    backplane::{
        Backplane, BackplaneError,
        envelope::{Envelope, PROBE},
    },
    dialect::message::{Mark, Message},
    follow::{
        PATIENCE,
        acceptance::Duty,
        leadership::{Gone, Turn},
        within,
    },
    log::Log,
    manager::{Manager, inner::Inner},
};

/// What a signal is, by its first byte.
const EVENT: u8 = 1;
const MESSAGE: u8 = 2;

/// Hears what other nodes' [`Manager::signal`] said.
///
/// Called on the task that listens, in order, so an implementation must not block: hand work to a task.
pub trait SignalHandler: Send + Sync + 'static {
    /// A node said something, this one included.
    fn signalled(&self, payload: Bytes);

    /// Signals may have been lost: the connection was gone for a while.
    fn missed(&self) {}
}

impl Manager {
    /// Tells every node on the backplane, this one included, what their [handlers](Manager::on_signal) hear: at most once, now.
    ///
    /// # Errors
    /// [`BackplaneError`]; [`BackplaneError::Refused`] where there is no backplane.
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

impl Inner {
    /// Sends an event to every other node, beside the log.
    pub(crate) async fn signal_event(&self, envelope: &[u8]) -> Result<(), BackplaneError> {
        self.signal(EVENT, envelope).await
    }

    async fn signal(&self, kind: u8, payload: &[u8]) -> Result<(), BackplaneError> {
        let Some(backplane) = &self.backplane else {
            return Err(BackplaneError::refused("there is no backplane"));
        };
        let mut bytes = BytesMut::with_capacity(1 + payload.len());
        bytes.put_u8(kind);
        bytes.put_slice(payload);
        let size = bytes.len();
        let signalled = within(PATIENCE, backplane.signal(bytes.freeze())).await;
        self.acceptance.note(Duty::Signal, &**backplane, size, &signalled);
        signalled
    }

    async fn signalled(self: &Arc<Self>, turn: &Turn, mut signal: Bytes) -> Result<(), Gone> {
        let kind = signal.first().copied();
        let payload = signal.split_off(signal.len().min(1));
        match kind {
            Some(EVENT) => self.pass_on_beside(turn, &payload).await?,
            Some(MESSAGE) => {
                let handlers = self.signal_handlers.lock().clone();
                handlers.iter().for_each(|handler| tell(|| handler.signalled(payload.clone())));
            }
            Some(PROBE) => {}
            _ => debug!(?kind, "a signal of an unknown kind"),
        }
        Ok(())
    }

    async fn pass_on_beside(self: &Arc<Self>, turn: &Turn, payload: &Bytes) -> Result<(), Gone> {
        let envelope = match Envelope::read(payload) {
            Ok(envelope) if envelope.ticket.node == self.tickets.node() => return Ok(()),
            Ok(envelope) => envelope,
            Err(error) => {
                warn!(%error, "a signal cannot be read");
                return Ok(());
            }
        };
        let collapse = self.collapse(&envelope.event);
        let placed = turn.hold(self, |order, hold| {
            let message = Message::new(envelope.event, collapse, Mark::Beside(order.before_next()));
            order.publish(&envelope.target, &envelope.except, message, hold)
        })?;
        placed.finish(self).await;
        Ok(())
    }
}

/// Listens as long as the turn lasts.
pub(crate) async fn listen(turn: Turn, backplane: Arc<dyn Backplane>) {
    let mut failures = 0;
    // Somebody listened before, and stood still or ended.
    let mut may_have_missed = turn.generation() > 1;
    while turn.manager().is_ok() {
        let signals = within(PATIENCE, backplane.signals()).await;
        let Ok(inner) = turn.manager() else { return };
        let is_away = inner.order.lock().log.as_ref().is_some_and(Log::is_away);
        inner.acceptance.note_listening(&*backplane, is_away, signals.as_ref().map(drop));
        drop(inner);
        match signals {
            Ok(mut signals) => {
                if may_have_missed || failures > 0 {
                    missed(&turn);
                }
                (failures, may_have_missed) = (0, false);
                loop {
                    // A manager that is gone is noticed at the next turn.
                    let next = tokio::time::timeout(PATIENCE, signals.next()).await;
                    let Ok(inner) = turn.manager() else { return };
                    match next {
                        Ok(Ok(signal)) => {
                            if inner.signalled(&turn, signal).await.is_err() {
                                return;
                            }
                        }
                        Ok(Err(error)) => {
                            warn!(error = &error as &dyn Error, "signals are lost");
                            break;
                        }
                        Err(_) => {}
                    }
                }
            }
            Err(error) => debug!(error = &error as &dyn Error, "signals cannot be heard"),
        }
        failures += 1;
        let Ok(pause) = turn.manager().map(|inner| inner.jitter.pause(failures)) else { return };
        sleep(pause).await;
    }
}

fn missed(turn: &Turn) {
    let Ok(inner) = turn.manager() else { return };
    let handlers = inner.signal_handlers.lock().clone();
    handlers.iter().for_each(|handler| tell(|| handler.missed()));
}

/// A handler that panics must not end listening.
fn tell(handler: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(handler)).is_err() {
        error!("a handler of signals panicked");
    }
}
