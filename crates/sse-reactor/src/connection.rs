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
use sse_core::{DisconnectReason, Frame, Session};

use crate::{
    adoption::{Adoption, Framing},
    end::End,
    socket::Socket,
    stats::Counters,
    waker::Wakers,
    write_buffer::WriteBuffer,
    writer::{self, Written},
};

/// At most about so many bytes are taken of a stream at once.
const BATCH: usize = 64 << 10;

/// After so many batches it is the others' turn.
const BATCHES: usize = 4;

/// A client that sends more than this behind its request is closed.
const MOST_DISCARDED: u16 = 4096;

/// One stream on its socket.
///
/// Small, since there are many and most are idle: what a full socket needs is elsewhere.
pub(crate) struct Connection<S = TcpStream> {
    session: Option<Session>,
    write_buffer: Option<Box<WriteBuffer>>,
    #[expect(dead_code, reason = "its drop is what matters")]
    guard: Box<dyn Any + Send>,
    socket: S,
    /// Bytes that the client sent behind its request.
    discarded: u16,
    framing: Framing,
    state: State,
}

/// Two answers in one byte, with which a connection and its place are 64 bytes.
#[derive(Debug, Clone, Copy, Default)]
struct State(u8);

impl State {
    /// It stands in its thread's line already.
    const IN_LINE: u8 = 1;
    /// It has a deadline.
    const LINGERS: u8 = 2;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Gives whether it was so before.
    fn set(&mut self, flag: u8, value: bool) -> bool {
        let before = self.has(flag);
        self.0 = if value { self.0 | flag } else { self.0 & !flag };
        before
    }
}

/// What a thread has for all its connections.
pub(crate) struct Tools<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) counters: &'a Counters,
    pub(crate) wakers: &'a Wakers,
    /// Empty between uses.
    pub(crate) frames: &'a mut Vec<Frame>,
}

/// What a connection needs next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// To be woken.
    Wait,
    /// Another turn, after the others.
    Again,
    /// A deadline: its stream was ended, and its client does not take what is left.
    Linger,
    /// To be closed, everything being written.
    Done,
    /// To be broken off.
    Reset,
}

impl Connection {
    /// The connection, and the head that it begins with.
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

impl<S: Socket> Connection<S> {
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
            state: State::default(),
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.write_buffer
            .as_ref()
            .is_some_and(|write_buffer| write_buffer.is_watched)
    }

    pub(crate) fn lingers(&self) -> bool {
        self.state.has(State::LINGERS)
    }

    /// It is to stand in its thread's line; `false` if it does already.
    pub(crate) fn line_up(&mut self) -> bool {
        !self.state.set(State::IN_LINE, true)
    }

    /// It stands in the line no more.
    pub(crate) fn leave_line(&mut self) {
        self.state.set(State::IN_LINE, false);
    }

    /// The system says that a socket that was full has room; `false` if nobody asked.
    pub(crate) fn found_room(&mut self) -> bool {
        let write_buffer = self
            .write_buffer
            .as_mut()
            .filter(|write_buffer| write_buffer.is_watched);
        write_buffer
            .map(|write_buffer| write_buffer.has_room = true)
            .is_some()
    }

    /// Writes the head and the first block of the stream together, and goes on.
    pub(crate) fn begin(
        &mut self,
        head: Bytes,
        place: u32,
        tools: &mut Tools<'_>,
    ) -> io::Result<Next> {
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

    /// Writes what waits, as long as it is this connection's turn and its socket takes it.
    pub(crate) fn advance(&mut self, place: u32, tools: &mut Tools<'_>) -> io::Result<Next> {
        let waits = self
            .write_buffer
            .as_mut()
            .is_some_and(|write_buffer| write_buffer.waits());
        if waits || (self.write_buffer.is_some() && !self.flush(place, tools)?) {
            return Ok(self.look_for_the_end(place, tools));
        }
        for _ in 0..BATCHES {
            if self.session.is_none() {
                return Ok(Next::Done);
            }
            let written = match self.poll_session(place, tools) {
                Poll::Pending => return Ok(Next::Wait),
                Poll::Ready(Some(_)) => self.send(place, tools)?,
                Poll::Ready(None) => self.send_end(place, tools)?,
            };
            if !written {
                return Ok(self.look_for_the_end(place, tools));
            }
        }
        Ok(Next::Again)
    }

    /// Takes the next events of the stream. At its end it lets go of it.
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

    /// Writes the frames; `false` if the client has to take some first.
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

    /// Writes what the client has not taken; `false` if some is left.
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

    /// Asks the system to tell when there is room. It looks at once, so room that there is already
    /// is told of.
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

    /// What comes of it that the client does not take what there is: as long as the stream lives,
    /// nothing.
    fn look_for_the_end(&mut self, place: u32, tools: &Tools<'_>) -> Next {
        let reason = match (&self.session, &mut self.write_buffer) {
            (Some(session), Some(write_buffer)) => {
                let waker = tools.wakers.of(place);
                let ending = write_buffer.ending.get_or_insert_with(|| session.ending());
                Pin::new(ending)
                    .poll(&mut Context::from_waker(&waker))
                    .map(Some)
            }
            _ => Poll::Ready(None),
        };
        match reason {
            Poll::Pending => Next::Wait,
            Poll::Ready(Some(DisconnectReason::Stalled)) => Next::Reset,
            Poll::Ready(_) if self.state.set(State::LINGERS, true) => Next::Wait,
            Poll::Ready(_) => Next::Linger,
        }
    }

    /// Reads what the client sends, which concerns nobody; `false` when it is gone, or sends too
    /// much.
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

    /// Lets the client know that nothing follows.
    pub(crate) fn finish(self) {
        self.socket.finish();
    }

    pub(crate) fn end(self, end: End) {
        if end == End::Reset {
            self.socket.break_off();
        }
    }
}
