//! How all connections of a server learn that it stops.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::sync::Notify;

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
pub(crate) struct Shutdown(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    /// How a connection's task is woken; `None` until it was polled first.
    connections: Mutex<Slab<Option<Waker>>>,
    /// Connections that no task has any more.
    seats: AtomicUsize,
    all_closed: Notify,
    /// A connection closed, so there may be room for another.
    room: Notify,
    linger: Duration,
}

impl Shutdown {
    /// With the time that a connection has to take what is left of a stream that was ended.
    pub(crate) fn new(linger: Duration) -> Self {
        Self(Arc::new(Shared {
            phase: AtomicU8::new(Phase::Serving as u8),
            connections: Mutex::default(),
            seats: AtomicUsize::new(0),
            all_closed: Notify::new(),
            room: Notify::new(),
            linger,
        }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::SeqCst);
        let wakers: Vec<_> = self.0.connections().iter().filter_map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn listener(&self) -> PhaseListener {
        let key = self.0.connections().insert(None);
        PhaseListener { shared: Arc::clone(&self.0), key, registered: false }
    }

    /// For whoever has connections without a task: to be called when one is gone.
    pub(crate) fn departed(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.0);
        move || {
            shared.seats.fetch_sub(1, Ordering::SeqCst);
            shared.left(&shared.connections());
        }
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections().len() + self.0.seats.load(Ordering::SeqCst)
    }

    /// Resolves when there are fewer than so many.
    pub(crate) async fn fewer_than(&self, most: usize) {
        while self.connections() >= most {
            self.0.room.notified().await;
        }
    }

    /// Resolves when there are none.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.0.all_closed.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            if self.connections() == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Shared {
    /// Lets the server know that a connection closed. Under the lock, so that of two that close together the later one sees that they were the
    /// last.
    fn left(&self, connections: &Slab<Option<Waker>>) {
        if connections.is_empty() && self.seats.load(Ordering::SeqCst) == 0 {
            self.all_closed.notify_waiters();
        }
        self.room.notify_one();
    }

    fn connections(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's side. Small, since every connection has one; lets the server know when it is dropped.
#[derive(Debug)]
pub(crate) struct PhaseListener {
    shared: Arc<Shared>,
    key: usize,
    registered: bool,
}

impl PhaseListener {
    /// The connection has no task any more, and counts until [`Shutdown::departed`] is told.
    pub(crate) fn outlive(&self) {
        self.shared.seats.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn linger(&self) -> Duration {
        self.shared.linger
    }

    /// For another task from here on.
    pub(crate) fn moved(mut self) -> Self {
        self.registered = false;
        self
    }

    /// Resolves when the server goes on no more.
    pub(crate) async fn stopping(&mut self) {
        poll_fn(|cx| if self.poll_phase(cx) == Phase::Serving { Poll::Pending } else { Poll::Ready(()) })
            .await;
    }

    /// The phase; the task is woken when it changes.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        // The connection is a task of its own, so its waker stays the same until it is moved.
        if !self.registered {
            self.registered = true;
            if let Some(place) = self.shared.connections().get_mut(self.key) {
                *place = Some(cx.waker().clone());
            }
        }
        match self.shared.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Aborting,
        }
    }
}

impl Drop for PhaseListener {
    fn drop(&mut self) {
        let mut connections = self.shared.connections();
        let waker = connections.try_remove(self.key);
        if connections.is_empty() {
            connections.shrink_to_fit();
        }
        self.shared.left(&connections);
        drop(connections);
        drop(waker);
    }
}
