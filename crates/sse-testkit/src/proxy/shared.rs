//! The state that a proxy and its connections share.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
};

use crate::proxy::conditions::{Conditions, ConditionsWatch};

/// Maximum number of connections that wait to be accepted.
const ACCEPT_QUEUE: u32 = 4096;

/// The state that the proxy and its connections share.
#[derive(Debug)]
pub(super) struct ProxyState {
    pub(super) listener: Mutex<Option<TcpListener>>,
    pub(super) listens_again: Notify,
    pub(super) conditions: Conditions,
    pub(super) upstreams: Mutex<Vec<Arc<Upstream>>>,
    pub(super) next: AtomicUsize,
    pub(super) open: AtomicUsize,
    pub(super) accepted: AtomicU64,
    pub(super) turned_away: AtomicU64,
}

/// A server that the proxy forwards to, with the conditions of the network in front of it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) conditions: Conditions,
    pub(super) open: AtomicUsize,
}

impl ProxyState {
    pub(super) fn with_upstream(&self, index: usize, act: impl FnOnce(&Upstream)) {
        if let Some(upstream) = lock(&self.upstreams).get(index) {
            act(upstream);
        }
    }

    /// Returns all servers, beginning with the next in turn.
    pub(super) fn in_turn(&self) -> Vec<Arc<Upstream>> {
        let mut upstreams = lock(&self.upstreams).clone();
        if !upstreams.is_empty() {
            let first = self.next.fetch_add(1, Ordering::Relaxed) % upstreams.len();
            upstreams.rotate_left(first);
        }
        upstreams
    }

    /// Returns the next connection, with the conditions since it was accepted.
    pub(super) async fn next_connection(&self) -> io::Result<(TcpStream, ConditionsWatch)> {
        loop {
            let accepted = poll_fn(|cx| {
                let listener = lock(&self.listener);
                let Some(listener) = &*listener else {
                    return Poll::Pending;
                };
                // Under the same lock, so that a later cut affects the connection.
                listener
                    .poll_accept(cx)
                    .map_ok(|(client, _)| (client, self.conditions.watch()))
            });
            tokio::select! {
                accepted = accepted => return accepted,
                () = self.listens_again.notified() => {}
            }
        }
    }
}

impl Upstream {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            conditions: Conditions::default(),
            open: AtomicUsize::new(0),
        }
    }
}

/// Returns a socket on an address that it shares with other sockets of this proxy.
pub(super) fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

pub(super) fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(ACCEPT_QUEUE)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
