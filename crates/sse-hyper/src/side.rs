//! What a connection, its socket and its service tell each other.

use std::{
    any::Any,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use sse_core::Ending;
use tokio::net::TcpStream;

/// What a connection, its socket and its service tell each other, in one allocation. All three are polled by one task.
#[derive(Debug, Default)]
pub(crate) struct Side {
    left: Mutex<Left>,
    /// Whether the socket is to be reset when it is dropped.
    aborted: AtomicBool,
    /// Whether the latest write waits for the client.
    blocked: AtomicBool,
    /// What hyper has read since it had the latest request.
    read: AtomicU8,
    /// Whether hyper has written everything since an answer was parked.
    flushed: AtomicBool,
    /// Whether the socket is to be left here when it is dropped.
    leaves_socket: AtomicBool,
}

/// What one has left for another.
#[derive(Debug, Default)]
struct Left {
    /// The stream in the latest answer, on its way from the service to the connection.
    ending: Option<Ending>,
    /// An answer that a reactor is to give, if the connection turns out to be fit for that.
    parked: Option<Box<dyn Any + Send>>,
    socket: Option<TcpStream>,
}

/// What hyper has read since it had the latest request, which has no body.
///
/// While a request is being answered hyper looks for the end of the connection, but only if it has no unread bytes
/// (`Conn::mid_message_detect_eof`). So a read that finds nothing shows that there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Read {
    /// It has not looked: there may be bytes behind the request.
    Unknown = 0,
    /// There is nothing behind the request.
    Nothing = 1,
    /// There is something.
    Something = 2,
}

/// What is to become of a parked answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    /// There is none.
    None,
    /// The answer before it is still being written.
    Waits,
    /// Its client has sent more, so hyper has to give it.
    GoesBack,
    /// A reactor can give it.
    Goes,
}

impl Side {
    pub(crate) fn put(&self, ending: Option<Ending>) {
        self.left().ending = ending;
    }

    pub(crate) fn take(&self) -> Option<Ending> {
        self.left().ending.take()
    }

    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// hyper has a request, of which it has read the whole.
    pub(crate) fn requested(&self) {
        self.read.store(Read::Unknown as u8, Ordering::Relaxed);
    }

    pub(crate) fn found(&self, read: Read) {
        // What comes behind the request stays there until it has been answered.
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

    /// hyper flushes the socket: it does so when it has written everything.
    pub(crate) fn flushes(&self) {
        self.flushed.store(true, Ordering::Relaxed);
    }

    /// Keeps an answer back.
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

    /// From here on the socket is left here when it is dropped.
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
