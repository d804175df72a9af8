//! One connection through the proxy.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::proxy::{
    conditions::{ConditionsWatch, ConnectionEnd, Way},
    shared::{ProxyState, Upstream},
};

/// Maximum number of bytes in one read.
const READ_SIZE: usize = 16 * 1024;

/// A client, and the servers to connect it to.
#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    conditions: ConditionsWatch,
    shared: Arc<ProxyState>,
}

/// The result of an attempt with one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// The server does not accept connections.
    Refused,
    /// Both ends closed their half.
    Finished,
    /// One end broke off, so the other end must be reset.
    Broken,
    /// The conditions of the network ended it.
    Ended(ConnectionEnd),
}

/// Both networks that a connection goes through: the whole one, and the part in front of its
/// server.
#[derive(Debug, Clone)]
struct RouteConditions {
    whole: ConditionsWatch,
    part: ConditionsWatch,
}

/// A guard that adds one to a count for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl Link {
    pub(super) fn new(
        client: TcpStream,
        conditions: ConditionsWatch,
        shared: Arc<ProxyState>,
    ) -> Self {
        Self {
            client,
            conditions,
            shared,
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _open = Counted::new(&shared.open);
        for upstream in shared.in_turn() {
            if self.lead_to(&upstream).await != Attempt::Refused {
                return;
            }
        }
        shared.turned_away.fetch_add(1, Ordering::Relaxed);
        reset(&self.client);
    }

    async fn lead_to(&mut self, upstream: &Upstream) -> Attempt {
        let mut conditions = RouteConditions {
            whole: self.conditions.clone(),
            part: upstream.conditions.watch(),
        };
        let mut server = None;
        let carried = carry(&mut self.client, &mut server, upstream, conditions.clone());
        let attempt = tokio::select! {
            // First, so that a cut connection does not end on its own.
            biased;
            outcome = conditions.outcome() => Attempt::Ended(outcome),
            attempt = carried => attempt,
        };
        match attempt {
            Attempt::Refused | Attempt::Finished => {}
            Attempt::Broken | Attempt::Ended(ConnectionEnd::Cut) => {
                self.reset_with(server.as_ref());
            }
            Attempt::Ended(ConnectionEnd::BlackHoled) => self.black_hole(server, conditions).await,
        }
        attempt
    }

    /// Discards everything until both ends have closed, or the connection is cut after all.
    async fn black_hole(&mut self, server: Option<TcpStream>, mut conditions: RouteConditions) {
        let swallowed = async {
            tokio::join!(swallow(Some(&self.client)), swallow(server.as_ref()));
        };
        let is_cut = tokio::select! {
            () = conditions.cut() => true,
            () = swallowed => false,
        };
        if is_cut {
            self.reset_with(server.as_ref());
        }
    }

    fn reset_with(&self, server: Option<&TcpStream>) {
        reset(&self.client);
        server.map(reset);
    }
}

impl RouteConditions {
    /// Waits for the outcome of either network, whichever comes first.
    async fn outcome(&mut self) -> ConnectionEnd {
        tokio::select! {
            outcome = self.whole.outcome() => outcome,
            outcome = self.part.outcome() => outcome,
        }
    }

    async fn cut(&mut self) {
        tokio::select! {
            () = self.whole.cut() => {}
            () = self.part.cut() => {}
        }
    }

    fn while_open<T>(&self, way: Way, act: impl FnOnce() -> T) -> Option<T> {
        self.whole
            .while_open(way, || self.part.while_open(way, act))
            .flatten()
    }

    async fn open(&mut self, way: Way) {
        while self.while_open(way, || ()).is_none() {
            self.whole.open(way).await;
            self.part.open(way).await;
        }
    }

    async fn closed(&mut self, way: Way) {
        tokio::select! {
            () = self.whole.closed(way) => {}
            () = self.part.closed(way) => {}
        }
    }

    /// Waits until bytes flow in this direction and a socket is ready for them, as far as can be
    /// known without a try.
    async fn ready(
        &mut self,
        way: Way,
        socket: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        self.open(way).await;
        tokio::select! {
            ready = socket => ready,
            () = self.closed(way) => Ok(()),
        }
    }

    /// Tries an operation on a socket if bytes flow in this direction; `None` if it must be tried
    /// again.
    fn attempt<T>(&self, way: Way, act: impl FnOnce() -> io::Result<T>) -> Option<io::Result<T>> {
        let done = self.while_open(way, act)?;
        let is_early = done
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        (!is_early).then_some(done)
    }
}

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects to a server, stored in `server`, and forwards everything until both ends are done.
async fn carry(
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    upstream: &Upstream,
    mut conditions: RouteConditions,
) -> Attempt {
    conditions.open(Way::ToServer).await;
    let Ok(connected) = TcpStream::connect(upstream.address).await else {
        return Attempt::Refused;
    };
    let _open = Counted::new(&upstream.open);
    let server = server.insert(connected);
    // The ends decide whether small pieces wait. A socket that rejects the option is about to fail
    // anyway.
    _ = client.set_nodelay(true);
    _ = server.set_nodelay(true);
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let passed = tokio::try_join!(
        pass(from_client, to_server, Way::ToServer, conditions.clone()),
        pass(from_server, to_client, Way::ToClient, conditions),
    );
    if passed.is_ok() {
        Attempt::Finished
    } else {
        Attempt::Broken
    }
}

/// Forwards bytes to their end, and the end as well.
async fn pass(
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut conditions: RouteConditions,
) -> io::Result<()> {
    loop {
        conditions.ready(way, from.readable()).await?;
        match conditions.attempt(way, || take(&from, &to)).transpose()? {
            None => {}
            Some(Taken::End) => break,
            Some(Taken::Bytes(rest)) => write(&rest, &to, way, &mut conditions).await?,
        }
    }
    conditions.open(way).await;
    to.shutdown().await
}

async fn write(
    mut rest: &[u8],
    to: &WriteHalf<'_>,
    way: Way,
    conditions: &mut RouteConditions,
) -> io::Result<()> {
    while !rest.is_empty() {
        conditions.ready(way, to.writable()).await?;
        let written = conditions
            .attempt(way, || to.try_write(rest))
            .transpose()?
            .unwrap_or(0);
        rest = &rest[written..];
    }
    Ok(())
}

/// The result of one read.
enum Taken {
    /// Bytes, of which these could not be written yet.
    Bytes(Vec<u8>),
    End,
}

/// Reads once and writes as much of it as possible.
fn take(from: &ReadHalf<'_>, to: &WriteHalf<'_>) -> io::Result<Taken> {
    // Outside of the future, so that thousands of idle connections are not thousands of buffers.
    let mut buffer = [0; READ_SIZE];
    let bytes = match from.try_read(&mut buffer)? {
        0 => return Ok(Taken::End),
        count => &buffer[..count],
    };
    let written = match to.try_write(bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(Taken::Bytes(bytes[written..].to_vec()))
}

/// Reads to the end and discards everything.
async fn swallow(socket: Option<&TcpStream>) {
    let Some(socket) = socket else { return };
    while socket.readable().await.is_ok() {
        match discard(socket) {
            Ok(0) => return,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {}
        }
    }
}

fn discard(socket: &TcpStream) -> io::Result<usize> {
    socket.try_read(&mut [0; READ_SIZE])
}

/// Makes a socket reset its connection on drop.
fn reset(socket: &TcpStream) {
    // Fails if the connection no longer exists.
    _ = socket.set_zero_linger();
}
