//! The socket operations that a connection needs.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    time::Duration,
};

use mio::{Interest, Registry, Token, event::Source, net::TcpStream};
use socket2::SockRef;

/// The socket operations that a connection needs. Benches of the bookkeeping implement them without
/// a socket.
pub(crate) trait Socket: Read + Write + Source + Sized {
    /// Closes the writing half, so that the client learns that nothing follows.
    fn finish(self);

    /// Makes the socket send RST when it is dropped, so that the system keeps no bytes that the
    /// client has not taken.
    fn break_off(&self);

    /// Changes the events that the system reports for the socket, which must already be registered.
    fn watch(&mut self, registry: &Registry, place: u32, interest: Interest) -> io::Result<()> {
        registry.reregister(self, Token(place as usize), interest)
    }
}

impl Socket for TcpStream {
    fn finish(self) {
        // If this call fails, the client has disconnected.
        let _ = self.shutdown(Shutdown::Write);
    }

    fn break_off(&self) {
        reset_when_dropped(&SockRef::from(self));
    }
}

/// Makes the socket send RST when it is dropped.
pub(crate) fn reset_when_dropped(socket: &SockRef<'_>) {
    // If this call fails, the socket is closed in the ordinary way, and the user timeout ends it.
    let _ = socket.set_linger(Some(Duration::ZERO));
}
