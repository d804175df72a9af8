//! Signals between nodes, outside the log.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use bytes::Bytes;
use tokio::time::sleep;
use tracing::{debug, error, warn};

use crate::{
    backplane::{
        Backplane, RESPONSE_TIMEOUT,
        envelope::{Envelope, PROBE},
        within,
    },
    dialect::message::Message,
    manager::{
        inner::Inner,
        signals::{EVENT, MESSAGE},
    },
};

async fn signalled(inner: &Arc<Inner>, mut signal: Bytes) {
    let kind = signal.first().copied();
    let payload = signal.split_off(signal.len().min(1));
    match kind {
        Some(EVENT) => pass_on_unlogged(inner, &payload).await,
        Some(MESSAGE) => {
            let handlers = inner.signal_handlers.lock().clone();
            handlers
                .iter()
                .for_each(|handler| call(|| handler.signalled(payload.clone())));
        }
        Some(PROBE) => {}
        _ => debug!(?kind, "ignored a signal of an unknown kind"),
    }
}

async fn pass_on_unlogged(inner: &Arc<Inner>, payload: &Bytes) {
    let envelope = match Envelope::read(payload) {
        Ok(envelope) if envelope.ticket.node == inner.tickets.node() => return,
        Ok(envelope) => envelope,
        Err(error) => {
            warn!(%error, "failed to read a signal from another node");
            return;
        }
    };
    let collapse = inner.collapse(&envelope.event);
    let placed = inner.with_sequencer(|sequencer, tx| {
        let message = Message::new(envelope.event, collapse, sequencer.unlogged_mark());
        sequencer.publish(&envelope.target, &envelope.except, message, tx)
    });
    placed.finish(inner).await;
}

/// Listens to signals, until the manager is dropped. `may_have_missed` is `true` if an earlier task
/// listened.
pub(crate) async fn listen(
    manager: Weak<Inner>,
    backplane: Arc<dyn Backplane>,
    mut may_have_missed: bool,
) {
    let mut failures = 0;
    while manager.strong_count() > 0 {
        let signals = within(RESPONSE_TIMEOUT, backplane.signals()).await;
        let Some(inner) = manager.upgrade() else {
            return;
        };
        let is_unavailable = inner.is_log_unavailable();
        inner
            .acceptance
            .note_listening(&*backplane, is_unavailable, signals.as_ref().map(drop));
        drop(inner);
        match signals {
            Ok(mut signals) => {
                if may_have_missed || failures > 0 {
                    missed(&manager);
                }
                (failures, may_have_missed) = (0, false);
                loop {
                    // The timeout lets the task notice a dropped manager.
                    let next = tokio::time::timeout(RESPONSE_TIMEOUT, signals.next()).await;
                    let Some(inner) = manager.upgrade() else {
                        return;
                    };
                    match next {
                        Ok(Ok(signal)) => {
                            signalled(&inner, signal).await;
                        }
                        Ok(Err(error)) => {
                            warn!(
                                error = &error as &dyn Error,
                                "failed to receive signals from other nodes"
                            );
                            break;
                        }
                        Err(_) => {}
                    }
                }
            }
            Err(error) => debug!(
                error = &error as &dyn Error,
                "failed to listen to signals from other nodes"
            ),
        }
        failures += 1;
        let Some(pause) = manager.upgrade().map(|inner| inner.jitter.pause(failures)) else {
            return;
        };
        sleep(pause).await;
    }
}

fn missed(manager: &Weak<Inner>) {
    let Some(inner) = manager.upgrade() else {
        return;
    };
    let handlers = inner.signal_handlers.lock().clone();
    handlers
        .iter()
        .for_each(|handler| call(|| handler.missed()));
}

/// Calls a handler. A panic in it must not end listening.
fn call(handler: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(handler)).is_err() {
        error!("signal handler panicked");
    }
}
