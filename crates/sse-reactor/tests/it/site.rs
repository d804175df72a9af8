//! A manager and a reactor, connected to the test by sockets.

use std::{
    any::Any,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, Type};
use sse_core::{Event, Handshake, Manager, ManagerBuilder, Session, Target};
use sse_reactor::{Adoption, Framing, Reactor, ReactorStats};
use sse_testkit::{Dechunker, Decoded, Decoder};
use tokio::runtime::Runtime;

/// Timeout that is long enough for a busy machine. A test that exceeds it has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// More bytes than the system ever takes for a [narrow connection](Site::narrow_pair), however it
/// counts and whenever it checks again.
pub(crate) const MORE_THAN_FITS: usize = 512 << 10;

const NARROW: usize = 16 << 10;

pub(crate) const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A manager and a reactor. The test's own thread is outside of the runtime, which only drives the
/// timer of the manager.
pub(crate) struct Site {
    pub(crate) manager: Manager,
    pub(crate) reactor: Reactor,
    listener: TcpListener,
    pub(crate) runtime: Runtime,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(Manager::builder(), 2)
    }

    pub(crate) fn with(builder: ManagerBuilder, threads: usize) -> Self {
        Self::lingering(builder, threads, Duration::from_secs(5))
    }

    pub(crate) fn lingering(builder: ManagerBuilder, threads: usize, linger: Duration) -> Self {
        let manager = builder.max_connections(1 << 20).build().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let reactor = {
            let _entered = runtime.enter();
            let threads = NonZeroUsize::new(threads).unwrap();
            Reactor::builder()
                .threads(threads)
                .linger(linger)
                .start()
                .unwrap()
        };
        Self {
            manager,
            reactor,
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            runtime,
        }
    }

    pub(crate) fn session(&self) -> Session {
        let _entered = self.runtime.enter();
        self.manager.connect(Handshake::new()).unwrap()
    }

    /// Returns the ends of a connection: the client's, then the server's.
    pub(crate) fn pair(&self) -> (TcpStream, TcpStream) {
        self.accepted(TcpStream::connect(self.listener.local_addr().unwrap()).unwrap())
    }

    /// Returns the ends of a connection that takes little.
    pub(crate) fn narrow_pair(&self) -> (TcpStream, TcpStream) {
        self.pair_with(NARROW, NARROW)
    }

    /// Returns the ends of a connection with these buffer sizes, for the bytes that the client
    /// receives and that the server sends.
    pub(crate) fn pair_with(&self, receive: usize, send: usize) -> (TcpStream, TcpStream) {
        // The size is set before the connection is opened, because an offered window is not taken
        // back.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(receive).unwrap();
        socket
            .connect(&self.listener.local_addr().unwrap().into())
            .unwrap();
        let (client, server) = self.accepted(socket.into());
        SockRef::from(&server).set_send_buffer_size(send).unwrap();
        (client, server)
    }

    fn accepted(&self, client: TcpStream) -> (TcpStream, TcpStream) {
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        server.set_nodelay(true).unwrap();
        (client, server)
    }

    pub(crate) fn adopt(&self, socket: TcpStream, guard: impl Any + Send) {
        self.adopt_with(socket, HEAD, Framing::Chunked, self.session(), guard);
    }

    pub(crate) fn adopt_with(
        &self,
        socket: TcpStream,
        head: &'static [u8],
        framing: Framing,
        session: Session,
        guard: impl Any + Send,
    ) {
        let guard = Box::new(guard);
        self.reactor.adopt(Adoption {
            socket,
            head: head.into(),
            framing,
            session,
            guard,
        });
    }

    /// Opens a stream and reads its first event.
    pub(crate) fn open(&self) -> Client {
        let (client, server) = self.pair();
        self.adopt(server, ());
        Client::greeted(client)
    }

    /// Opens a stream on a connection that takes little.
    pub(crate) fn open_narrow(&self) -> Client {
        let (client, server) = self.narrow_pair();
        self.adopt(server, ());
        Client::greeted(client)
    }

    pub(crate) fn publish(&self, text: impl AsRef<str>) {
        self.publish_to(Target::All, text);
    }

    pub(crate) fn publish_to(&self, target: impl Into<Target>, text: impl AsRef<str>) {
        let event = Event::text(text.as_ref());
        self.runtime
            .block_on(self.manager.publish(target, event))
            .unwrap();
    }

    pub(crate) fn stats(&self) -> ReactorStats {
        self.reactor.stats()
    }

    pub(crate) fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !reached(self) {
            let state = || format!("{:?} {:?}", self.stats(), self.manager.stats());
            assert!(
                start.elapsed() < TIMEOUT,
                "timed out while waiting for: {what}; {}",
                state()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns `true` if no stream is left.
    pub(crate) fn is_empty(&self) -> bool {
        let stats = self.manager.stats();
        (self.stats().streams, stats.total_connections, stats.ending) == (0, 0, 0)
    }
}

/// The client's end, which reads with the testkit's own dechunker and decoder.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    head: Vec<u8>,
    chunks: Dechunker,
    decoder: Decoder,
    events: Vec<Decoded>,
}

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            head: Vec::new(),
            chunks: Dechunker::new(),
            decoder: Decoder::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn greeted(socket: TcpStream) -> Self {
        let mut client = Self::new(socket);
        assert_eq!(client.next().event_type, "connection");
        client
    }

    pub(crate) fn next(&mut self) -> Decoded {
        self.next_by(16 << 10)
    }

    /// Returns the next event, reading this number of bytes at once.
    pub(crate) fn next_by(&mut self, bytes: usize) -> Decoded {
        while self.events.is_empty() {
            assert!(self.read(bytes) > 0, "the end, where an event was expected");
        }
        self.events.remove(0)
    }

    pub(crate) fn next_data(&mut self) -> String {
        self.next().data
    }

    /// Returns the remaining events. The body must be complete, and the connection closed.
    pub(crate) fn rest(&mut self) -> Vec<Decoded> {
        while self.read(16 << 10) > 0 {}
        assert!(
            self.chunks.is_complete(),
            "the end of the connection, in the middle of the body"
        );
        assert!(!self.decoder.is_mid_block());
        std::mem::take(&mut self.events)
    }

    /// Reads until the end of the connection. Returns `true` if the end is a reset.
    pub(crate) fn is_reset(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
                    return true;
                }
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn reset(self) {
        SockRef::from(&self.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    fn read(&mut self, bytes: usize) -> usize {
        let mut buffer = vec![0; bytes];
        let count = self.socket.read(&mut buffer).unwrap();
        let mut rest = &buffer[..count];
        // All streams here have the same head.
        if self.head.len() < HEAD.len() {
            let missing = (HEAD.len() - self.head.len()).min(rest.len());
            self.head.extend_from_slice(&rest[..missing]);
            assert!(
                HEAD.starts_with(&self.head),
                "{:?}",
                String::from_utf8_lossy(&self.head)
            );
            rest = &rest[missing..];
        }
        while !rest.is_empty() {
            assert!(
                !self.chunks.is_complete(),
                "the body is followed by {rest:?}"
            );
            let mut content = Vec::new();
            let used = self.chunks.feed(rest, &mut content).unwrap();
            rest = &rest[used..];
            self.events.extend(self.decoder.feed(&content));
        }
        count
    }
}
