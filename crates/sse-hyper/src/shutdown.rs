//! How all connections of a server learn that it stops.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::Context,
};

use tokio::sync::{Notify, futures::OwnedNotified, watch};

/// What a server's connections should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Go on.
    Serving = 0,
    /// End after the answer under way.
    Draining = 1,
    /// End now.
    Aborting = 2,
}

/// The server's side.
#[derive(Debug)]
pub(crate) struct Shutdown {
    shared: Arc<Shared>,
    /// Closed when the last connection has let go of its receiver.
    connections: watch::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    changed: Arc<Notify>,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        let shared = Shared { phase: AtomicU8::new(Phase::Serving as u8), changed: Arc::new(Notify::new()) };
        Self { shared: Arc::new(shared), connections: watch::Sender::new(()) }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.shared.phase.store(phase as u8, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }

    pub(crate) fn listener(&self) -> PhaseListener {
        PhaseListener {
            changed: None,
            shared: Arc::clone(&self.shared),
            _connection: self.connections.subscribe(),
        }
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.connections.receiver_count()
    }

    /// Resolves when there are none.
    pub(crate) async fn all_closed(&self) {
        self.connections.closed().await;
    }
}

/// A connection's side. Lets the server know when it is dropped.
#[derive(Debug)]
pub(crate) struct PhaseListener {
    /// There once registered: the task's waker stays the same, so one poll suffices until the phase changes.
    changed: Option<Pin<Box<OwnedNotified>>>,
    shared: Arc<Shared>,
    _connection: watch::Receiver<()>,
}

impl PhaseListener {
    /// The phase; the task is woken when it changes.
    pub(crate) fn poll_phase(&mut self, cx: &mut Context<'_>) -> Phase {
        while self.changed.is_none() {
            let mut changed = Box::pin(Arc::clone(&self.shared.changed).notified_owned());
            if changed.as_mut().poll(cx).is_pending() {
                self.changed = Some(changed);
            }
        }
        match self.shared.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => self.again(cx, Phase::Draining),
            _ => Phase::Aborting,
        }
    }

    /// Registers for the change after this one.
    fn again(&mut self, cx: &mut Context<'_>, phase: Phase) -> Phase {
        if let Some(changed) = &mut self.changed {
            while changed.as_mut().poll(cx).is_ready() {
                changed.set(Arc::clone(&self.shared.changed).notified_owned());
            }
        }
        match self.shared.phase.load(Ordering::SeqCst) {
            2 => Phase::Aborting,
            _ => phase,
        }
    }
}
