//! A stream on its way to a reactor.

use std::{any::Any, fmt, net::TcpStream};

use bytes::Bytes;
use sse_core::Session;

/// How a client finds the end of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Events are chunks, and a chunk without bytes ends them (RFC 9112, section 7.1).
    Chunked,
    /// Events are bare, and the end of the connection ends them; what clients of HTTP/1.0
    /// understand.
    UntilClose,
}

/// A stream on its way to a reactor: what it needs to be served to its end.
pub struct Adoption {
    /// The connection. Options that streams want are set already; nothing else reads or writes it
    /// any more.
    pub socket: TcpStream,
    /// The head of the answer, with the empty line at its end. It says `Connection: close`, since
    /// that is what happens.
    pub head: Bytes,
    /// As the head says.
    pub framing: Framing,
    /// The stream.
    pub session: Session,
    /// Dropped when the connection is, after the session.
    pub guard: Box<dyn Any + Send>,
}

impl fmt::Debug for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            socket,
            framing,
            session,
            ..
        } = self;
        f.debug_struct("Adoption")
            .field("socket", socket)
            .field("framing", framing)
            .field("session", session)
            .finish_non_exhaustive()
    }
}
