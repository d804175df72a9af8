//! State shared by a connection, its socket and its service.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::Waker,
};

use sse_core::Closed;
use tokio::net::TcpStream;

#[cfg(feature = "http2")]
use crate::serve::flood::Flood;
use crate::serve::{
    connections::{Evict, Evicted},
    shutdown::ServerState,
    watchdog::Timeouts,
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
    left: Mutex<Left>,
    /// Set if the socket is to be reset when it is dropped.
    aborted: AtomicBool,
    /// Set while the latest write waits for the client.
    blocked: AtomicBool,
    /// The result of hyper's reads since the latest request began.
    read: AtomicU8,
    /// Set if hyper has written everything since a response was parked.
    flushed: AtomicBool,
    /// Set if the socket is to be left in this state when it is dropped.
    leaves_socket: AtomicBool,
}

/// Values that one of the three leaves for another.
#[derive(Debug, Default)]
struct Left {
    /// Count of the requests that the client has cancelled, if any.
    #[cfg(feature = "http2")]
    flood: Option<Box<Flood>>,
    /// The end of the stream in the latest response, on its way from the service to the connection.
    ending: Option<Closed>,
    /// A response that a reactor is to send, if the connection turns out to be fit for a reactor.
    parked: Option<Box<dyn Any + Send>>,
    socket: Option<TcpStream>,
}

/// The result of hyper's reads since the latest request, which has no body, began.
///
/// While a request is being answered, hyper checks for the end of the connection, but only if it
/// has no unread bytes (`Conn::mid_message_detect_eof`). So a read that finds nothing shows that no
/// unread bytes exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Read {
    /// hyper has not checked, so bytes after the request are possible.
    Unknown = 0,
    /// No bytes follow the request.
    Nothing = 1,
    /// Bytes follow the request.
    Something = 2,
}

/// The next step of a parked response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    /// No response is parked.
    None,
    /// The previous response is still being written.
    Waits,
    /// The client has sent more bytes, so hyper must send the response.
    GoesBack,
    /// A reactor can send the response.
    Goes,
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
            left: Mutex::default(),
            aborted: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            read: AtomicU8::new(Read::Unknown as u8),
            flushed: AtomicBool::new(false),
            leaves_socket: AtomicBool::new(false),
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
        if self.left().flood.get_or_insert_default().count() {
            self.flooded.store(true, Ordering::Relaxed);
        }
        self.is_flooded()
    }

    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// Notes that hyper has read the whole head of a request.
    pub(crate) fn request_began(&self) {
        self.read.store(Read::Unknown as u8, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that hyper has the whole response to a request. Returns the number of requests still
    /// in flight.
    pub(crate) fn request_ended(&self) -> u32 {
        // The bytes read in the meantime were the body of the request. The next bytes are the next
        // head.
        self.read.store(Read::Unknown as u8, Ordering::Relaxed);
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
        self.left().ending = ending;
    }

    pub(crate) fn take(&self) -> Option<Closed> {
        self.left().ending.take()
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

    pub(crate) fn found(&self, read: Read) {
        // Bytes that follow the request stay unread until the request has been answered.
        if self.read() != Read::Something {
            self.read.store(read as u8, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Read {
        match self.read.load(Ordering::Relaxed) {
            0 => Read::Unknown,
            1 => Read::Nothing,
            _ => Read::Something,
        }
    }

    /// Notes that hyper flushes the socket, which hyper does when it has written everything.
    pub(crate) fn flushes(&self) {
        self.flushed.store(true, Ordering::Relaxed);
    }

    /// Holds a response back.
    pub(crate) fn park(&self, answer: Box<dyn Any + Send>) {
        self.flushed.store(false, Ordering::Relaxed);
        self.left().parked = Some(answer);
    }

    pub(crate) fn unpark(&self) -> Option<Box<dyn Any + Send>> {
        self.left().parked.take()
    }

    pub(crate) fn parked(&self) -> Parked {
        if self.left().parked.is_none() {
            return Parked::None;
        }
        match self.read() {
            Read::Nothing if self.flushed.load(Ordering::Relaxed) => Parked::Goes,
            Read::Nothing => Parked::Waits,
            Read::Unknown | Read::Something => Parked::GoesBack,
        }
    }

    /// Requests that the socket is left in this state when it is dropped.
    pub(crate) fn keep_socket(&self) {
        self.leaves_socket.store(true, Ordering::Relaxed);
    }

    pub(crate) fn keeps_socket(&self) -> bool {
        self.leaves_socket.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_socket(&self, socket: TcpStream) {
        self.left().socket = Some(socket);
    }

    pub(crate) fn take_socket(&self) -> Option<TcpStream> {
        self.left().socket.take()
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
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
