//! Options of a client's socket.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};

/// Socket options that let a server detect clients that vanished without closing the connection.
///
/// The options can be set on everything that converts to a [`SockRef`]: sockets of the standard
/// library, of tokio and of `socket2`.
///
/// ```
/// use std::{io, net::TcpStream, time::Duration};
///
/// use sse_socket::SocketOptions;
///
/// fn prepare(socket: &TcpStream) -> io::Result<()> {
///     let timeout = Duration::from_secs(30);
///     SocketOptions::default().user_timeout(timeout).keepalive(timeout).set(socket)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct SocketOptions {
    user_timeout: Duration,
    keepalive: Duration,
    send_buffer: usize,
}

/// Default size of the kernel's send buffer. An event stream needs little of the buffer, because a
/// queue precedes it.
const SEND_BUFFER: usize = 256 << 10;

/// Minimum send buffer that is replaced. A smaller buffer was chosen by the app: Linux starts with
/// this size (`tcp_wmem`) and enlarges the buffer from there.
const CHOSEN: usize = 16 << 10;

impl Default for SocketOptions {
    /// Returns the default options: a user timeout of 60 s, probes after 30 s of silence, and a
    /// send buffer of 256 KiB.
    fn default() -> Self {
        Self {
            user_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(30),
            send_buffer: SEND_BUFFER,
        }
    }
}

impl SocketOptions {
    /// Sets the timeout for acknowledgements of sent data and for a closed window
    /// (`TCP_USER_TIMEOUT`, RFC 5482; only on Linux and Android). After the timeout, the system
    /// breaks off the connection. Default 60 s. A value outside 1 ms to 24 days is clamped.
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.user_timeout = timeout;
        self
    }

    /// Sets the time without traffic after which the system probes the peer. Default 30 s. A value
    /// outside 1 s to 9 hours is clamped. The system sends five probes, a fifth of this time apart,
    /// and at least one second apart. On Windows, their number and interval are the system's own.
    pub fn keepalive(mut self, idle: Duration) -> Self {
        self.keepalive = idle;
        self
    }

    /// Sets the size of the kernel's send buffer (`SO_SNDBUF`) in bytes. Default 256 KiB. Linux
    /// caps the size at `net.core.wmem_max`, and doubles it for its bookkeeping.
    ///
    /// The buffer bounds the memory that a client that does not read holds in the kernel. Without
    /// this option, Linux lets the buffer grow to 4 MiB. The buffer also bounds the throughput of a
    /// stream to about one buffer per round trip. A socket with a buffer of less than 16 KiB keeps
    /// its buffer, because only an app makes a buffer that small.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Sets `TCP_NODELAY`, keep-alive, the send buffer and the user timeout, in this order.
    ///
    /// # Errors
    /// Returns the error of the operating system. Options that were set before the error stay set.
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
        // This option must be the last, see `ensure`.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(self.user_timeout.clamp(SHORTEST, LONGEST)))?;
        Ok(())
    }

    /// Sets the options unless the socket already has them. A socket that has them costs one system
    /// call instead of eight.
    ///
    /// On Linux, a client's socket inherits the options that its listener had when the client
    /// connected (`tcp_create_openreq_child` copies them). So a server [sets](Self::set) the
    /// options on the listener and ensures them on each client's socket. A socket with the expected
    /// user timeout is assumed to have all options. On other systems, this method is the same as
    /// [`set`](Self::set).
    ///
    /// # Errors
    /// Returns the error of the operating system, as [`set`](Self::set) does.
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

/// Minimum user timeout. Zero would disable the timeout.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SHORTEST: Duration = Duration::from_millis(1);

/// Maximum user timeout. The kernel holds milliseconds in a C `int`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// Clamps a duration to the range of Linux (`tcp(7)`: 1 to 32,767 s).
fn seconds(duration: Duration) -> Duration {
    duration.clamp(Duration::from_secs(1), Duration::from_secs(32_767))
}
