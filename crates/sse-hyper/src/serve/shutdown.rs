//! How all connections of a server learn that it stops.

use std::{
    future::poll_fn,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::serve::{
    conn_state::Side,
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
pub(crate) struct Shutdown(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    phase: AtomicU8,
    connections: Mutex<Connections>,
    bounds: Bounds,
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

    /// Adds a connection from an address. At the bounds of connections without a stream another one is closed.
    pub(crate) fn listener(&self, address: IpAddr) -> PhaseListener {
        let group = self.0.bounds.group_of(address);
        let side = |key| Side::new(Arc::clone(&self.0), key);
        let (side, evicted) = self.0.connections().insert(group, &self.0.bounds, side);
        evicted.into_iter().for_each(Evicted::announce);
        PhaseListener { side, registered: false }
    }

    /// Returns whether another connection from an address would be at the cost of one that there is.
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

    /// Resolves when there are fewer connections than a maximum. Closes connections without a stream until there are.
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
    /// Lets the server know that a connection closed. Under the lock, so that of two that close together the later one sees that they were the
    /// last.
    fn left(&self, connections: &Connections) {
        if connections.len() == 0 && self.seats.load(Ordering::SeqCst) == 0 {
            self.all_closed.notify_waiters();
        }
        self.room.notify_one();
    }

    /// Notes that a connection carries one more stream.
    pub(crate) fn stream_began(&self, side: &Side) {
        let mut connections = self.connections();
        if side.add_stream() == 1 {
            connections.stream_began(side);
        }
    }

    /// Notes that a connection carries one stream less.
    pub(crate) fn stream_ended(&self, side: &Side) {
        let mut connections = self.connections();
        if side.subtract_stream() > 0 {
            return;
        }
        let evicted = connections.streams_ended(side, &self.bounds);
        drop(connections);
        evicted.into_iter().for_each(Evicted::announce);
        self.room.notify_one();
    }

    /// Has the task of a connection polled.
    pub(crate) fn wake(&self, side: &Side) {
        let waker = self.connections().waker(side);
        waker.into_iter().for_each(Waker::wake);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's side. Small, since every connection has one; lets the server know when it is dropped.
#[derive(Debug)]
pub(crate) struct PhaseListener {
    side: Arc<Side>,
    registered: bool,
}

impl PhaseListener {
    pub(crate) fn side(&self) -> &Arc<Side> {
        &self.side
    }

    /// The connection has no task any more, and counts until [`Shutdown::departed`] is told.
    pub(crate) fn outlive(&self) {
        self.side.shared().seats.fetch_add(1, Ordering::SeqCst);
    }

    /// For another task from here on.
    pub(crate) fn moved(mut self) -> Self {
        self.registered = false;
        self
    }

    /// Resolves when the connection is to end: with its server, or to make room for another.
    pub(crate) async fn stopping(&mut self) {
        poll_fn(|cx| match self.poll_phase(cx) {
            Phase::Serving if !self.side.is_evicted() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// The phase; the task is woken when it changes.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        // The connection is a task of its own, so its waker stays the same until it is moved.
        if !self.registered {
            self.registered = true;
            self.side.shared().connections().set_waker(&self.side, cx.waker().clone());
        }
        match self.side.shared().phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Aborting,
        }
    }
}

impl Drop for PhaseListener {
    fn drop(&mut self) {
        let mut connections = self.side.shared().connections();
        let removed = connections.remove(&self.side);
        self.side.shared().left(&connections);
        drop(connections);
        drop(removed);
    }
}
