//! State shared by a connection, its socket and its service.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
};

use sse_core::Closed;

#[cfg(feature = "http2")]
use crate::serve::flood::Flood;
use crate::{
    handoff::state::HandoffState,
    serve::{
        connections::{Evict, Evicted},
        shutdown::ServerState,
        watchdog::Timeouts,
    },
};

/// State shared by a connection, its socket and its service, in one allocation. One task polls all
/// three, except for HTTP/2, where other tasks poll the requests.
pub(crate) struct ConnState {
    shared: Arc<ServerState>,
    /// The index among the server's connections.
    key: usize,
    /// Set when the connection is to be closed to make room for another.
    evicted: AtomicBool,
    /// Set when the client has cancelled too many requests.
    flooded: AtomicBool,
    /// Set by each request, and cleared when the connection is considered for eviction.
    used: AtomicBool,
    requests: AtomicU32,
    in_flight: AtomicU32,
    streams: AtomicU32,
    /// Number of times that a write began to wait for the client.
    stalls: AtomicU32,
    locked: Mutex<LockedState>,
    /// Set if the socket is to be reset when it is dropped.
    aborted: AtomicBool,
    /// Set while the latest write waits for the client.
    blocked: AtomicBool,
    handoff: HandoffState,
}

/// The state under the lock: values that the connection, the socket or the
/// service leaves for another.
#[derive(Debug, Default)]
struct LockedState {
    /// Count of the requests that the client has cancelled, if any.
    #[cfg(feature = "http2")]
    flood: Option<Box<Flood>>,
    /// The end of the stream in the latest response, on its way from the service to the connection.
    ending: Option<Closed>,
}

impl ConnState {
    pub(crate) fn new(shared: Arc<ServerState>, key: usize) -> Self {
        Self {
            shared,
            key,
            evicted: AtomicBool::new(false),
            flooded: AtomicBool::new(false),
            used: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            stalls: AtomicU32::new(0),
            locked: Mutex::default(),
            aborted: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            handoff: HandoffState::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<ServerState> {
        &self.shared
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.shared.timeouts
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Counts a cancelled request of HTTP/2. Returns `true` if the connection is to be ended
    /// because of cancellations.
    pub(crate) fn cancelled(&self) -> bool {
        #[cfg(feature = "http2")]
        if self.locked().flood.get_or_insert_default().count() {
            self.flooded.store(true, Ordering::Relaxed);
        }
        self.is_flooded()
    }

    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// Notes that hyper has read the whole head of a request.
    pub(crate) fn request_began(&self) {
        self.handoff.forget_reads();
        self.used.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that hyper has the whole response to a request. Returns the number of requests still
    /// in flight.
    pub(crate) fn request_ended(&self) -> u32 {
        self.handoff.forget_reads();
        self.in_flight.fetch_sub(1, Ordering::Relaxed) - 1
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns the number of streams that the connection carries.
    pub(crate) fn streams(&self) -> u32 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Notes that the connection carries one more stream.
    pub(crate) fn stream_began(&self) {
        let mut connections = self.shared.connections();
        if self.streams.fetch_add(1, Ordering::Relaxed) == 0 {
            connections.stream_began(self);
        }
    }

    /// Notes that the connection carries one stream less.
    pub(crate) fn stream_ended(&self) {
        let mut connections = self.shared.connections();
        if self.streams.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        let evicted = connections.streams_ended(self, &self.shared.bounds);
        drop(connections);
        evicted.into_iter().for_each(Evicted::announce);
        self.shared.may_have_room();
    }

    /// Wakes the task of the connection.
    pub(crate) fn wake(&self) {
        let waker = self.shared.connections().waker(self);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Returns the number of times that a write began to wait for the client.
    pub(crate) fn stalls(&self) -> u32 {
        self.stalls.load(Ordering::Relaxed)
    }

    pub(crate) fn put(&self, ending: Option<Closed>) {
        self.locked().ending = ending;
    }

    pub(crate) fn take(&self) -> Option<Closed> {
        self.locked().ending.take()
    }

    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        if self.is_blocked() != blocked {
            self.blocked.store(blocked, Ordering::Relaxed);
            self.stalls.fetch_add(u32::from(blocked), Ordering::Relaxed);
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    pub(crate) fn handoff(&self) -> &HandoffState {
        &self.handoff
    }

    fn locked(&self) -> MutexGuard<'_, LockedState> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evict for ConnState {
    fn key(&self) -> usize {
        self.key
    }

    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed) || self.in_flight() > 0
    }

    fn evict(&self) {
        self.evicted.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for ConnState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnState")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
