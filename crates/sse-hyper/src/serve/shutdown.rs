//! Notification of all connections of a server that it stops.

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
    connections::{ConnectionBounds, Connections, Evicted},
    streamless::Scope,
    watchdog::Timeouts,
};

/// Timeout for the task of an evicted connection to close the connection. After the timeout,
/// another connection is evicted.
const CLOSING: Duration = Duration::from_millis(100);

/// The phase of a server, which its connections follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerPhase {
    /// Connections continue.
    Serving = 0,
    /// Connections end after the response in flight.
    Draining = 1,
    /// Connections end immediately.
    Aborting = 2,
}

/// The server's side of a shutdown.
#[derive(Debug)]
pub(crate) struct Shutdown(pub(super) Arc<ServerState>);

#[derive(Debug)]
pub(crate) struct ServerState {
    phase: AtomicU8,
    connections: Mutex<Connections>,
    pub(super) bounds: ConnectionBounds,
    pub(crate) timeouts: Timeouts,
    /// Number of connections that no longer have a task.
    seats: AtomicUsize,
    all_closed: Notify,
    /// Notified when a connection was closed or can be closed, so that another connection can have
    /// room.
    room: Notify,
}

impl Shutdown {
    pub(crate) fn new(timeouts: Timeouts, bounds: ConnectionBounds) -> Self {
        Self(Arc::new(ServerState {
            phase: AtomicU8::new(ServerPhase::Serving as u8),
            connections: Mutex::default(),
            bounds,
            timeouts,
            seats: AtomicUsize::new(0),
            all_closed: Notify::new(),
            room: Notify::new(),
        }))
    }

    pub(crate) fn enter(&self, phase: ServerPhase) {
        self.0.phase.store(phase as u8, Ordering::SeqCst);
        let wakers = self.0.connections().wakers();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns `true` if another connection from an address would cause an eviction.
    pub(crate) fn is_full_for(&self, address: IpAddr) -> bool {
        let group = self.0.bounds.group_of(address);
        self.0.connections().is_full_for(group, &self.0.bounds)
    }

    /// Returns a function for the owner of connections without a task. The owner must call the
    /// function when such a connection ends.
    pub(crate) fn departed(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.0);
        move || {
            shared.seats.fetch_sub(1, Ordering::SeqCst);
            shared.left(&shared.connections());
        }
    }

    /// Returns the number of connections.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections().len() + self.0.seats.load(Ordering::SeqCst)
    }

    /// Resolves when the number of connections is below a maximum. Closes connections without a
    /// stream until then.
    pub(crate) async fn make_room(&self, most: usize) {
        loop {
            let room = self.0.room.notified();
            if self.connections() < most {
                return;
            }
            if self.evict() {
                // If the connection is not closed in time, another connection is evicted.
                let _ = timeout(CLOSING, room).await;
            } else {
                room.await;
            }
        }
    }

    /// Evicts a connection without a stream. Returns `false` if every connection carries a stream.
    pub(crate) fn evict(&self) -> bool {
        let evicted = self.0.connections().evict(Scope::All);
        evicted.map(Evicted::announce).is_some()
    }

    /// Resolves when a connection was closed or can be closed.
    pub(crate) async fn room(&self) {
        self.0.room.notified().await;
    }

    /// Resolves when all connections are closed.
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

impl ServerState {
    /// Notifies the server that a connection closed. The caller holds the lock, so that when two
    /// connections close at the same time, the later one detects that no connection remains.
    pub(super) fn left(&self, connections: &Connections) {
        if connections.len() == 0 && self.seats.load(Ordering::SeqCst) == 0 {
            self.all_closed.notify_waiters();
        }
        self.room.notify_one();
    }

    /// Notes that a connection can be closed, or will be closed soon.
    pub(super) fn may_have_room(&self) {
        self.room.notify_one();
    }

    /// Notes that a connection no longer has a task.
    pub(super) fn take_seat(&self) {
        self.seats.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn phase(&self) -> ServerPhase {
        match self.phase.load(Ordering::SeqCst) {
            0 => ServerPhase::Serving,
            1 => ServerPhase::Draining,
            _ => ServerPhase::Aborting,
        }
    }

    pub(super) fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
