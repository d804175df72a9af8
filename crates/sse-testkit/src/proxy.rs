//! A network that fails on command.

mod conditions;
mod link;
mod shared;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpSocket,
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::proxy::{
    conditions::{Conditions, Flow},
    link::Link,
    shared::{ProxyState, Upstream, bound, listening, lock},
};

/// Pause after a connection could not be accepted because there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A TCP proxy on its own port, in front of one or several servers, that fails on command.
///
/// With several servers the proxy is a balancer: connections go round robin, and a server that
/// refuses is passed over. The proxy forwards bytes unchanged, and also ends and resets. It buffers
/// at most 16 KiB for each direction of a connection. A method takes effect before it returns: not
/// a byte passes after [`freeze`](Self::freeze) or [`cut`](Self::cut), although the peers can see a
/// reset a little later. A drop releases the port and resets all connections, soon after it
/// returns.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Bound and never listening: the port stays reserved for this proxy while it refuses.
    _port: TcpSocket,
    shared: Arc<ProxyState>,
    accepts: AbortHandle,
}

impl Proxy {
    /// Creates a proxy to one server. Must be called within a tokio runtime that has IO and time
    /// enabled.
    ///
    /// # Errors
    ///
    /// The errors of a bind to 127.0.0.1.
    pub async fn to(upstream: SocketAddr) -> io::Result<Self> {
        Self::balance([upstream]).await
    }

    /// Creates a proxy to several servers. Must be called within a tokio runtime that has IO and
    /// time enabled.
    ///
    /// # Errors
    ///
    /// The errors of a bind to 127.0.0.1.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, and the compiler rejects callers without one"
    )]
    pub async fn balance(upstreams: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let port = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = port.local_addr()?;
        let shared = Arc::new(ProxyState {
            listener: Mutex::new(Some(listening(address)?)),
            listens_again: Notify::new(),
            conditions: Conditions::default(),
            upstreams: Mutex::default(),
            next: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        });
        let accepts = tokio::spawn(accept(Arc::clone(&shared))).abort_handle();
        let proxy = Self {
            address,
            _port: port,
            shared,
            accepts,
        };
        proxy.set_upstreams(upstreams);
        Ok(proxy)
    }

    /// Returns the address on which the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Directs further connections to these servers, the next connection to the first server.
    /// Existing connections stay with their servers. A server that stays in the list remains frozen
    /// if it was.
    pub fn set_upstreams(&self, upstreams: impl IntoIterator<Item = SocketAddr>) {
        let mut known = lock(&self.shared.upstreams);
        let kept = |address| {
            known
                .iter()
                .find(|upstream| upstream.address == address)
                .cloned()
        };
        *known = upstreams
            .into_iter()
            .map(|address| kept(address).unwrap_or_else(|| Arc::new(Upstream::new(address))))
            .collect();
        self.shared.next.store(0, Ordering::Relaxed);
    }

    /// Resets all connections (RST, both ends).
    pub fn cut(&self) {
        self.shared.conditions.cut();
    }

    /// Resets the connections to the server with this index in the list. Does nothing if there is
    /// no such server.
    pub fn cut_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.cut());
    }

    /// Stops all traffic in both directions, ends included, without notice to either side. New
    /// connections are accepted and silent.
    ///
    /// As in a network that recovers, nothing is lost on connections that both ends still hold at
    /// [`thaw`](Self::thaw). For connections that never recover, use
    /// [`black_hole`](Self::black_hole).
    pub fn freeze(&self) {
        self.shared.conditions.set(Flow::Nothing);
    }

    /// Like [`freeze`](Self::freeze), but only in the direction from servers to clients.
    pub fn freeze_answers(&self) {
        self.shared.conditions.set(Flow::Requests);
    }

    /// Ends [`freeze`](Self::freeze) and [`freeze_answers`](Self::freeze_answers).
    pub fn thaw(&self) {
        self.shared.conditions.set(Flow::All);
    }

    /// Like [`freeze`](Self::freeze), but only for connections to the server with this index in the
    /// list. New connections that are its turn are silent, too. Does nothing if there is no such
    /// server.
    pub fn freeze_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.set(Flow::Nothing));
    }

    /// Ends [`freeze_upstream`](Self::freeze_upstream).
    pub fn thaw_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.set(Flow::All));
    }

    /// Leaves all connections as they are, silent for good: bytes and ends vanish without notice to
    /// either side. New connections are not affected.
    ///
    /// Each connection stays until both its ends have closed it.
    pub fn black_hole(&self) {
        self.shared.conditions.black_hole();
    }

    /// Refuses new connections, as a port without a listener does.
    pub fn refuse(&self) {
        *lock(&self.shared.listener) = None;
    }

    /// Ends [`refuse`](Self::refuse). Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The errors of a new listener on the proxy's port.
    pub fn accept(&self) -> io::Result<()> {
        let mut listener = lock(&self.shared.listener);
        if listener.is_none() {
            *listener = Some(listening(self.address)?);
            self.shared.listens_again.notify_one();
        }
        Ok(())
    }

    /// Returns the number of connections, including silent ones.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Returns the number of connections to the server with this index in the list; zero if there
    /// is no such server.
    #[must_use]
    pub fn open_to(&self, index: usize) -> usize {
        lock(&self.shared.upstreams)
            .get(index)
            .map_or(0, |upstream| upstream.open.load(Ordering::Relaxed))
    }

    /// Returns the number of connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Returns the number of connections that were reset because no server took them.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        // The task, and the connections with it, may be polled once more before it ends.
        self.refuse();
        self.cut();
    }
}

async fn accept(shared: Arc<ProxyState>) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = shared.next_connection() => match accepted {
                Ok((client, conditions)) => {
                    shared.accepted.fetch_add(1, Ordering::Relaxed);
                    links.spawn(Link::new(client, conditions, Arc::clone(&shared)).run());
                }
                // The client gave up, or there are too many connections: the next attempt may
                // succeed.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = links.join_next(), if !links.is_empty() => {}
        }
    }
}
