//! Options of a client's socket.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};

/// Options that let a server notice clients which vanished without a word.
///
/// Anything that [`SockRef`] is made of can have them: sockets of the standard library, of tokio,
/// of `socket2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct SocketOptions {
    user_timeout: Duration,
    keepalive: Duration,
    send_buffer: usize,
}

/// Default size of the kernel's send buffer. An event stream needs little of it: a queue of its own
/// stands before it.
const SEND_BUFFER: usize = 256 << 10;

/// A send buffer below this was chosen by the app: Linux starts with as much (`tcp_wmem`) and
/// enlarges it from there.
const CHOSEN: usize = 16 << 10;

impl Default for SocketOptions {
    /// Data may go unacknowledged for 60 s; a silent peer is probed after 30 s; the send buffer has
    /// 256 KiB.
    fn default() -> Self {
        Self {
            user_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(30),
            send_buffer: SEND_BUFFER,
        }
    }
}

impl SocketOptions {
    /// How long sent data may go unacknowledged, and a closed window stay closed, until the
    /// connection is broken off (`TCP_USER_TIMEOUT`, RFC 5482; on Linux alone). At least a
    /// millisecond, at most 24 days.
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.user_timeout = timeout;
        self
    }

    /// After how long without traffic the peer is probed: at least one second, at most nine hours.
    /// Five probes, a fifth of this apart, at least one second.
    pub fn keepalive(mut self, idle: Duration) -> Self {
        self.keepalive = idle;
        self
    }

    /// Size of the kernel's send buffer (`SO_SNDBUF`) in bytes, of which Linux takes twice as many
    /// for its bookkeeping.
    ///
    /// The buffer bounds the memory that a client which does not read holds in the kernel; Linux
    /// would let it grow to 4 MiB. It also bounds the throughput of a stream to about one buffer
    /// per round trip. A socket with a buffer of less than 16 KiB keeps it, because only an app
    /// makes it that small.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Sets `TCP_NODELAY`, keep-alive, the send buffer and the user timeout.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn set<'a, S>(&self, socket: &'a S) -> io::Result<()>
    where
        SockRef<'a>: From<&'a S>,
    {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(seconds(self.keepalive));
        #[cfg(not(windows))]
        let keepalive = keepalive
            .with_interval(seconds(self.keepalive / 5))
            .with_retries(5);
        socket.set_tcp_keepalive(&keepalive)?;
        if socket.send_buffer_size()? >= CHOSEN {
            socket.set_send_buffer_size(self.send_buffer.min(i32::MAX as usize / 2))?;
        }
        // The last, see `ensure`.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(self.user_timeout.clamp(SHORTEST, LONGEST)))?;
        Ok(())
    }

    /// Sets the options unless the socket has them already, which costs one system call instead of
    /// eight.
    ///
    /// On Linux a socket has what its listener had when the client connected
    /// (`tcp_create_openreq_child` copies it), so a server [sets](Self::set) them on the listener
    /// and ensures them on each client's socket. A socket that has the user timeout is taken for
    /// one that has all. Elsewhere this is the same as [`set`](Self::set).
    ///
    /// # Errors
    /// What the operating system says.
    pub fn ensure<'a, S>(&self, socket: &'a S) -> io::Result<()>
    where
        SockRef<'a>: From<&'a S>,
    {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if SockRef::from(socket).tcp_user_timeout()?
            == Some(self.user_timeout.clamp(SHORTEST, LONGEST))
        {
            return Ok(());
        }
        self.set(socket)
    }
}

/// Zero would mean that there is no timeout.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SHORTEST: Duration = Duration::from_millis(1);

/// The kernel holds milliseconds in a C `int`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// Within what Linux allows (`tcp(7)`: 1 to 32,767 s).
fn seconds(duration: Duration) -> Duration {
    duration.clamp(Duration::from_secs(1), Duration::from_secs(32_767))
}
