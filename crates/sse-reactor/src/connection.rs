//! One stream on its socket.

use std::{
    any::Any,
    future::Future,
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use mio::{Interest, Registry, Token, net::TcpStream};
use sse_core::{DisconnectReason, Session, dialect::Frame};

use crate::{
    adoption::{Adoption, Framing},
    end::ThreadEnd,
    socket::Socket,
    stats::ThreadCounters,
    waker::Wakers,
    write_buffer::WriteBuffer,
    writer::{self, Written},
};

/// Approximate maximum number of bytes that are taken from a stream at once.
const BATCH: usize = 64 << 10;

/// Maximum number of batches before the other connections are polled.
const BATCHES: usize = 4;

/// Maximum number of bytes that a client can send after its request. If a client sends more, its
/// connection is closed.
const MOST_DISCARDED: u16 = 4096;

/// One stream on its socket.
///
/// The struct is small, because there are many connections and most are idle. The state of a full
/// socket is kept elsewhere.
pub(crate) struct StreamConnection<S = TcpStream> {
    session: Option<Session>,
    write_buffer: Option<Box<WriteBuffer>>,
    #[expect(dead_code, reason = "its drop is what matters")]
    guard: Box<dyn Any + Send>,
    socket: S,
    /// Bytes that the client sent after its request.
    discarded: u16,
    framing: Framing,
    state: ConnectionFlags,
}

/// Two flags in one byte, so that a connection and its slot are 64 bytes.
#[derive(Debug, Clone, Copy, Default)]
struct ConnectionFlags(u8);

impl ConnectionFlags {
    /// The connection is in the run queue of its thread.
    const IN_LINE: u8 = 1;
    /// The connection has a deadline.
    const LINGERS: u8 = 2;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Sets the flag. Returns the previous value.
    fn set(&mut self, flag: u8, value: bool) -> bool {
        let before = self.has(flag);
        self.0 = if value { self.0 | flag } else { self.0 & !flag };
        before
    }
}

/// State of a thread that all its connections use.
pub(crate) struct Tools<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) counters: &'a ThreadCounters,
    pub(crate) wakers: &'a Wakers,
    /// Empty between uses.
    pub(crate) frames: &'a mut Vec<Frame>,
}

/// The next step of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextPoll {
    /// Wait until woken.
    Wait,
    /// Poll again, after the other connections.
    Again,
    /// Set a deadline: the stream was ended, and the client does not take the remaining bytes.
    Linger,
    /// Close the connection. Everything is written.
    Done,
    /// Break the connection off.
    Reset,
}

impl StreamConnection {
    /// Creates the connection. Also returns the head of the response.
    pub(crate) fn adopted(adoption: Adoption) -> (Self, Bytes) {
        let Adoption {
            socket,
            head,
            framing,
            session,
            guard,
        } = adoption;
        (
            Self::new(TcpStream::from_std(socket), framing, session, guard),
            head,
        )
    }

    pub(crate) fn register(&mut self, registry: &Registry, place: u32) -> io::Result<()> {
        registry.register(&mut self.socket, Token(place as usize), Interest::READABLE)
    }
}

impl<S: Socket> StreamConnection<S> {
    pub(crate) fn new(
        socket: S,
        framing: Framing,
        session: Session,
        guard: Box<dyn Any + Send>,
    ) -> Self {
        let session = Some(session);
        Self {
            session,
            write_buffer: None,
            guard,
            socket,
            discarded: 0,
            framing,
            state: ConnectionFlags::default(),
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.write_buffer
            .as_ref()
            .is_some_and(|write_buffer| write_buffer.is_watched)
    }

    pub(crate) fn lingers(&self) -> bool {
        self.state.has(ConnectionFlags::LINGERS)
    }

    /// Marks the connection as queued. Returns `false` if the connection is already in the run
    /// queue.
    pub(crate) fn line_up(&mut self) -> bool {
        !self.state.set(ConnectionFlags::IN_LINE, true)
    }

    /// Marks the connection as no longer queued.
    pub(crate) fn leave_line(&mut self) {
        self.state.set(ConnectionFlags::IN_LINE, false);
    }

    /// Notes that the system reported room in a full socket. Returns `false` if the socket is not
    /// watched for room.
    pub(crate) fn found_room(&mut self) -> bool {
        let write_buffer = self
            .write_buffer
            .as_mut()
            .filter(|write_buffer| write_buffer.is_watched);
        write_buffer
            .map(|write_buffer| write_buffer.has_room = true)
            .is_some()
    }

    /// Writes the head and the first block of the stream together, and continues with the stream.
    pub(crate) fn begin(
        &mut self,
        head: Bytes,
        place: u32,
        tools: &mut Tools<'_>,
    ) -> io::Result<NextPoll> {
        let mut write_buffer = Box::new(WriteBuffer::default());
        write_buffer.push(head);
        if let Poll::Ready(more) = self.poll_session(place, tools) {
            tools
                .frames
                .drain(..)
                .for_each(|frame| write_buffer.push(self.framing.shared(&frame)));
            if more.is_none() {
                write_buffer.push(Bytes::from_static(self.framing.end()));
            }
        }
        self.write_buffer = Some(write_buffer);
        self.advance(place, tools)
    }

    /// Writes pending bytes, until the connection has used up its batches or its socket is full.
    pub(crate) fn advance(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<NextPoll> {
        let waits = self
            .write_buffer
            .as_mut()
            .is_some_and(|write_buffer| write_buffer.waits());
        if waits || (self.write_buffer.is_some() && !self.flush(place, tools)?) {
            return Ok(self.poll_for_the_end(place, tools));
        }
        for _ in 0..BATCHES {
            if self.session.is_none() {
                return Ok(NextPoll::Done);
            }
            let written = match self.poll_session(place, tools) {
                Poll::Pending => return Ok(NextPoll::Wait),
                Poll::Ready(Some(_)) => self.send(place, tools)?,
                Poll::Ready(None) => self.send_end(place, tools)?,
            };
            if !written {
                return Ok(self.poll_for_the_end(place, tools));
            }
        }
        Ok(NextPoll::Again)
    }

    /// Takes the next events of the stream. Drops the session at the end of the stream.
    fn poll_session(&mut self, place: u32, tools: &mut Tools<'_>) -> Poll<Option<usize>> {
        tools.frames.clear();
        let Some(session) = &mut self.session else {
            return Poll::Ready(None);
        };
        let waker = tools.wakers.of(place);
        let polled = session.poll_frames(&mut Context::from_waker(&waker), BATCH, tools.frames);
        if matches!(polled, Poll::Ready(None)) {
            self.session = None;
        }
        polled
    }

    /// Writes the frames. Returns `false` if the client must take bytes first.
    fn send(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<bool> {
        let framing = self.framing;
        let written = match &tools.frames[..] {
            [frame] => writer::write_one(&mut self.socket, framing.bytes(frame)),
            frames => writer::write_all(
                &mut self.socket,
                frames.iter().map(|frame| framing.bytes(frame)),
                0,
            ),
        }?;
        let Written::Part(part) = written else {
            tools.counters.bytes.add(
                tools
                    .frames
                    .drain(..)
                    .map(|frame| framing.bytes(&frame).len() as u64)
                    .sum(),
            );
            return Ok(true);
        };
        tools.counters.bytes.add(part as u64);
        let mut write_buffer = WriteBuffer::default();
        tools
            .frames
            .drain(..)
            .for_each(|frame| write_buffer.push(framing.shared(&frame)));
        write_buffer.advance(part);
        self.write_buffer = Some(Box::new(write_buffer));
        self.watch(place, tools)?;
        Ok(false)
    }

    fn send_end(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<bool> {
        let mut write_buffer = WriteBuffer::default();
        write_buffer.push(Bytes::from_static(self.framing.end()));
        self.write_buffer = Some(Box::new(write_buffer));
        self.flush(place, tools)
    }

    /// Writes the bytes that the client has not taken. Returns `false` if some remain.
    fn flush(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<bool> {
        let Some(write_buffer) = &mut self.write_buffer else {
            return Ok(true);
        };
        let (written, all) = write_buffer.write(&mut self.socket)?;
        tools.counters.bytes.add(written as u64);
        if !all {
            self.watch(place, tools)?;
            return Ok(false);
        }
        if self
            .write_buffer
            .take()
            .is_some_and(|write_buffer| write_buffer.is_watched)
        {
            tools.counters.blocked.subtract(1);
            self.socket
                .watch(tools.registry, place, Interest::READABLE)?;
        }
        Ok(true)
    }

    /// Requests a notification from the system when the socket has room. The system checks at once,
    /// so room that already exists is reported too.
    fn watch(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<()> {
        let Some(write_buffer) = self
            .write_buffer
            .as_mut()
            .filter(|write_buffer| !write_buffer.is_watched)
        else {
            return Ok(());
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.socket.watch(tools.registry, place, interest)?;
        write_buffer.is_watched = true;
        tools.counters.write_stalls.add(1);
        tools.counters.blocked.add(1);
        Ok(())
    }

    /// Returns the next step while the client takes no bytes. While the stream lives, the next step
    /// is to wait.
    fn poll_for_the_end(&mut self, place: u32, tools: &Tools<'_>) -> NextPoll {
        let reason = match (&self.session, &mut self.write_buffer) {
            (Some(session), Some(write_buffer)) => {
                let waker = tools.wakers.of(place);
                let ending = write_buffer.ending.get_or_insert_with(|| session.closed());
                Pin::new(ending)
                    .poll(&mut Context::from_waker(&waker))
                    .map(Some)
            }
            _ => Poll::Ready(None),
        };
        match reason {
            Poll::Pending => NextPoll::Wait,
            Poll::Ready(Some(DisconnectReason::Stalled)) => NextPoll::Reset,
            Poll::Ready(_) if self.state.set(ConnectionFlags::LINGERS, true) => NextPoll::Wait,
            Poll::Ready(_) => NextPoll::Linger,
        }
    }

    /// Reads and discards the bytes that the client sends. Returns `false` if the client has
    /// disconnected, or has sent too much.
    pub(crate) fn discard(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    let count = u16::try_from(count).unwrap_or(u16::MAX);
                    self.discarded = self.discarded.saturating_add(count);
                    if self.discarded > MOST_DISCARDED {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// Closes the writing half, so that the client learns that nothing follows.
    pub(crate) fn finish(self) {
        self.socket.finish();
    }

    pub(crate) fn end(self, end: ThreadEnd) {
        if end == ThreadEnd::Reset {
            self.socket.break_off();
        }
    }
}
