//! What a connection needs of a socket.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    time::Duration,
};

use mio::{Interest, Registry, Token, event::Source, net::TcpStream};
use socket2::SockRef;

/// What a connection needs of a socket; the benches of the bookkeeping have none.
pub(crate) trait Socket: Read + Write + Source + Sized {
    /// Lets the client know that nothing follows.
    fn finish(self);

    /// Lets the system keep nothing of what the client has not taken: it sends RST when this is
    /// dropped.
    fn break_off(&self);

    /// What the system is to tell of it; it is watched already.
    fn watch(&mut self, registry: &Registry, place: u32, interest: Interest) -> io::Result<()> {
        registry.reregister(self, Token(place as usize), interest)
    }
}

impl Socket for TcpStream {
    fn finish(self) {
        // Where it fails the client is gone.
        let _ = self.shutdown(Shutdown::Write);
    }

    fn break_off(&self) {
        reset_when_dropped(&SockRef::from(self));
    }
}

/// Dropped after this the socket sends RST.
pub(crate) fn reset_when_dropped(socket: &SockRef<'_>) {
    // Where it fails the socket is closed in the ordinary way, and the user timeout ends it.
    let _ = socket.set_linger(Some(Duration::ZERO));
}
