//! A network that fails when it should.

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
    shared::{Shared, Upstream, bound, listening, lock},
};

/// How long to wait after a connection could not be accepted, since there were too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A TCP proxy on a port of its own, before one server or several, that fails when it is told to.
///
/// With several it is a balancer: connections go round robin, and a server that refuses is passed
/// over. Bytes go through unchanged, ends and resets too. At most 16 KiB wait in it for each way of
/// a connection. What a method does holds when it returns: not a byte goes through after
/// [`freeze`](Self::freeze) or [`cut`](Self::cut), though an end may hear of it a little later.
/// Dropping it ends everything, soon after.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Bound and never listening: the port stays this proxy's while it refuses.
    _port: TcpSocket,
    shared: Arc<Shared>,
    accepts: AbortHandle,
}

impl Proxy {
    /// Leads to one server. Must be called within a tokio runtime that has IO and time enabled.
    ///
    /// # Errors
    ///
    /// What binding to 127.0.0.1 gives.
    pub async fn to(upstream: SocketAddr) -> io::Result<Self> {
        Self::balance([upstream]).await
    }

    /// Leads to several servers.
    ///
    /// # Errors
    ///
    /// What binding to 127.0.0.1 gives.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, which a caller without one should be told by the compiler"
    )]
    pub async fn balance(upstreams: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let port = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = port.local_addr()?;
        let shared = Arc::new(Shared {
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads further connections to these servers, the next one to the first; those that there are
    /// stay with theirs. A server that stays keeps its state: frozen or not.
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

    /// Resets the connections to the server with this place in the list. Nothing happens if there
    /// is none.
    pub fn cut_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.cut());
    }

    /// Lets nothing through, either way, not even ends, of which nobody is told; new connections
    /// are accepted and silent.
    ///
    /// As in a network that is mended, nothing is lost of connections that both ends still hold at
    /// [`thaw`](Self::thaw); for those that never come back there is
    /// [`black_hole`](Self::black_hole).
    pub fn freeze(&self) {
        self.shared.conditions.set(Flow::Nothing);
    }

    /// Like [`freeze`](Self::freeze), only for what servers send.
    pub fn freeze_answers(&self) {
        self.shared.conditions.set(Flow::Requests);
    }

    /// Ends [`freeze`](Self::freeze) and [`freeze_answers`](Self::freeze_answers).
    pub fn thaw(&self) {
        self.shared.conditions.set(Flow::All);
    }

    /// Like [`freeze`](Self::freeze), only for connections to the server with this place in the
    /// list; further ones that are its turn are silent, too. Nothing happens if there is none.
    pub fn freeze_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.set(Flow::Nothing));
    }

    /// Ends [`freeze_upstream`](Self::freeze_upstream).
    pub fn thaw_upstream(&self, index: usize) {
        self.shared
            .with_upstream(index, |upstream| upstream.conditions.set(Flow::All));
    }

    /// Leaves all connections as they are, silent for ever: bytes and ends vanish, and nobody is
    /// told. New ones are not concerned.
    ///
    /// Each is there until both its ends have closed it.
    pub fn black_hole(&self) {
        self.shared.conditions.black_hole();
    }

    /// Refuses new connections, as a port does on which nobody listens.
    pub fn refuse(&self) {
        *lock(&self.shared.listener) = None;
    }

    /// Ends [`refuse`](Self::refuse). Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// What listening on its port again gives.
    pub fn accept(&self) -> io::Result<()> {
        let mut listener = lock(&self.shared.listener);
        if listener.is_none() {
            *listener = Some(listening(self.address)?);
            self.shared.listens_again.notify_one();
        }
        Ok(())
    }

    /// How many connections there are, silent ones too.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// How many there are to the server with this place in the list.
    #[must_use]
    pub fn open_to(&self, index: usize) -> usize {
        lock(&self.shared.upstreams)
            .get(index)
            .map_or(0, |upstream| upstream.open.load(Ordering::Relaxed))
    }

    /// How many were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many of them were reset since no server took them.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        // The task may be polled once more before it ends, and the connections with it.
        self.refuse();
        self.cut();
    }
}

async fn accept(shared: Arc<Shared>) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = shared.next_connection() => match accepted {
                Ok((client, conditions)) => {
                    shared.accepted.fetch_add(1, Ordering::Relaxed);
                    links.spawn(Link::new(client, conditions, Arc::clone(&shared)).run());
                }
                // The client gave up, or there are too many: the next one may be luckier.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = links.join_next(), if !links.is_empty() => {}
        }
    }
}
