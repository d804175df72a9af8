//! How all connections of a server learn that it stops.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::serve::{
    connections::{Bounds, Connections, Evicted},
    streamless::Scope,
    watchdog::Timeouts,
};

/// Timeout for the task of an evicted connection to close it. Then another one is evicted.
const CLOSING: Duration = Duration::from_millis(100);

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
pub(crate) struct Shutdown(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    phase: AtomicU8,
    connections: Mutex<Connections>,
    pub(super) bounds: Bounds,
    pub(crate) timeouts: Timeouts,
    /// Connections that no task has any more.
    seats: AtomicUsize,
    all_closed: Notify,
    /// A connection closed, or can be closed, so there may be room for another.
    room: Notify,
}

impl Shutdown {
    pub(crate) fn new(timeouts: Timeouts, bounds: Bounds) -> Self {
        Self(Arc::new(Shared {
            phase: AtomicU8::new(Phase::Serving as u8),
            connections: Mutex::default(),
            bounds,
            timeouts,
            seats: AtomicUsize::new(0),
            all_closed: Notify::new(),
            room: Notify::new(),
        }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::SeqCst);
        let wakers = self.0.connections().wakers();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns whether another connection from an address would be at the cost of one that there
    /// is.
    pub(crate) fn is_full_for(&self, address: IpAddr) -> bool {
        let group = self.0.bounds.group_of(address);
        self.0.connections().is_full_for(group, &self.0.bounds)
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

    /// Resolves when there are fewer connections than a maximum. Closes connections without a
    /// stream until there are.
    pub(crate) async fn make_room(&self, most: usize) {
        loop {
            let room = self.0.room.notified();
            if self.connections() < most {
                return;
            }
            if self.evict() {
                // If the connection is not closed in time, another one is.
                let _ = timeout(CLOSING, room).await;
            } else {
                room.await;
            }
        }
    }

    /// Closes a connection without a stream; `false` if there is none.
    pub(crate) fn evict(&self) -> bool {
        let evicted = self.0.connections().evict(Scope::All);
        evicted.map(Evicted::announce).is_some()
    }

    /// Resolves when a connection was closed.
    pub(crate) async fn room(&self) {
        self.0.room.notified().await;
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
    /// Lets the server know that a connection closed. Under the lock, so that of two that close
    /// together the later one sees that they were the last.
    pub(super) fn left(&self, connections: &Connections) {
        if connections.len() == 0 && self.seats.load(Ordering::SeqCst) == 0 {
            self.all_closed.notify_waiters();
        }
        self.room.notify_one();
    }

    /// Notes that a connection can be closed, or is closed soon.
    pub(super) fn may_have_room(&self) {
        self.room.notify_one();
    }

    /// Notes that a connection has no task any more.
    pub(super) fn take_seat(&self) {
        self.seats.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Aborting,
        }
    }

    pub(super) fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
