//! A stream on its way to a reactor.

use std::{any::Any, fmt, net::TcpStream};

use bytes::Bytes;
use sse_core::Session;

/// The way in which a client finds the end of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Events are chunks, and a chunk without bytes ends them (RFC 9112, section 7.1).
    Chunked,
    /// Events are bare, and the end of the connection ends them, as clients of HTTP/1.0 expect.
    UntilClose,
}

/// A stream on its way to a reactor, with everything that the reactor needs to serve the stream
/// until it ends.
pub struct Adoption {
    /// The connection. The socket options for streams are already set, and no other code reads or
    /// writes the socket any more.
    pub socket: TcpStream,
    /// The head of the response, with the empty line at its end. The head must contain
    /// `Connection: close`, because the reactor closes the connection after the stream.
    pub head: Bytes,
    /// The framing that the head specifies.
    pub framing: Framing,
    /// The stream.
    pub session: Session,
    /// A value that is dropped with the connection, after the session.
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
