//! A thread's bookkeeping without sockets and without the thread, for benches. Not part of the API.

use std::{
    convert::Infallible,
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mio::{Interest, Poll, Registry, Token, Waker, event::Source};
use sse_core::Session;

use crate::{
    adoption::Framing,
    connection::StreamConnection,
    mailbox::Mailbox,
    socket::Socket,
    worker::{WAKE, Worker},
};

/// The bookkeeping of one reactor thread for its streams, without sockets: writes only count the
/// bytes.
pub struct Bookkeeping {
    worker: Worker<Sink>,
    woken: Vec<u32>,
}

impl Bookkeeping {
    /// Creates the bookkeeping of a thread without streams.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox::new(Waker::new(poll.registry(), WAKE)?, None));
        Ok(Self {
            worker: Worker::new(poll, mailbox, Duration::ZERO),
            woken: Vec::new(),
        })
    }

    /// Serves a stream, from its head on.
    pub fn adopt(&mut self, session: Session) {
        let inserted = self.worker.connections.try_insert(|_| {
            Ok::<_, Infallible>(StreamConnection::new(
                Sink(0),
                Framing::Chunked,
                session,
                Box::new(()),
            ))
        });
        let Ok(Some(key)) = inserted else { return };
        self.worker.wakers.reach(key.place);
        let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
        self.worker.turn(key, |connection, place, tools| {
            connection.begin(head, place, tools)
        });
    }

    /// Polls every woken stream. Returns the number of polls.
    pub fn turns(&mut self) -> usize {
        let mut turns = 0;
        loop {
            let found = self
                .worker
                .mailbox
                .collect(&mut self.woken, !self.worker.run_queue.is_empty());
            self.worker.line_up_all(&mut self.woken);
            if found.nothing {
                return turns;
            }
            self.worker.give_turns();
            turns += std::mem::take(&mut self.worker.turns);
        }
    }

    /// Returns the number of bytes written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.worker.mailbox.counters.bytes.get()
    }
}

impl std::fmt::Debug for Bookkeeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bookkeeping").finish_non_exhaustive()
    }
}

/// A socket that accepts every write, with the size of a real socket.
struct Sink(u32);

impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.wrapping_add(1);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0 = self.0.wrapping_add(1);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Sink {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Sink {
    fn finish(self) {}

    fn break_off(&self) {}
}
