//! Accepting clients while there is room.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use sse_socket::SocketOptions;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use crate::{
    handoff::lazy_reactor::LazyReactor,
    serve::{
        accept::{Accepted, ConnectionConfig},
        accept_errors::{AcceptErrors, Cause},
        app::HttpApp,
        shutdown::Shutdown,
    },
};

/// Pause after an accept that failed because of a shortage.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Accepts clients.
pub(super) struct Acceptor<S> {
    pub(super) listener: TcpListener,
    pub(super) service: S,
    pub(super) options: SocketOptions,
    pub(super) config: ConnectionConfig,
    pub(super) header_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) shutdown: Arc<Shutdown>,
    /// The connections from before the drain, which count towards the maximum until they close.
    pub(super) earlier: Option<Arc<Shutdown>>,
    /// An accepted client that waits for room.
    pub(super) waiting: Option<(TcpStream, SocketAddr)>,
}

impl<S: HttpApp> Acceptor<S> {
    /// Returns an acceptor for clients that connect during the drain. The earlier connections count
    /// towards its limit.
    pub(super) fn for_late(mut self, shutdown: &Arc<Shutdown>) -> Self {
        // The reactor reports departures to the `Shutdown` of the earlier connections.
        self.config.lazy_reactor = LazyReactor::default();
        self.config.lazy_reactor.switch_off();
        self.earlier = Some(std::mem::replace(&mut self.shutdown, Arc::clone(shutdown)));
        self
    }

    /// Accepts clients until the sender is dropped. Returns the acceptor.
    pub(super) async fn open_until(mut self, closed: oneshot::Receiver<()>) -> Self {
        tokio::select! {
            never = self.open() => match never {},
            _ = closed => self,
        }
    }

    /// Accepts clients while polled.
    pub(super) async fn open(&mut self) -> Infallible {
        let mut errors = AcceptErrors::default();
        loop {
            let accepted = match self.waiting.take() {
                Some(accepted) => Ok(accepted),
                None => self.listener.accept().await,
            };
            match accepted {
                Ok((socket, peer)) => {
                    errors.end();
                    // The socket is kept here, so that a client that waits when the drain begins is
                    // served by the acceptor for late clients.
                    self.waiting = Some((socket, peer));
                    let earlier = self
                        .earlier
                        .as_ref()
                        .map_or(0, |earlier| earlier.connections());
                    self.shutdown
                        .make_room(self.max_connections.saturating_sub(earlier).max(1))
                        .await;
                    if self.shutdown.is_full_for(peer.ip()) {
                        // The yield lets accepted connections read their requests before another
                        // connection is closed for a newcomer.
                        yield_now().await;
                    }
                    let Some((socket, peer)) = self.waiting.take() else {
                        continue;
                    };
                    if let Err(error) = self.options.ensure(&socket) {
                        // Either the client has already disconnected, or the system lacks an option
                        // and the timeouts of the stream apply.
                        tracing::debug!(%peer, %error, "failed to set socket options");
                    }
                    let listener = self.shutdown.listener(peer.ip());
                    let deadline = Instant::now() + self.header_timeout;
                    let accepted = Accepted {
                        socket,
                        peer,
                        listener,
                        deadline,
                    };
                    tokio::spawn(accepted.served(self.service.clone(), self.config.clone()));
                }
                Err(error) => after(&self.shutdown, errors.note(&error)).await,
            }
        }
    }
}

/// Waits after a failed accept. A shortage can end soon. If the shortage lasts, a connection
/// without a stream is closed for a newcomer.
async fn after(shutdown: &Shutdown, cause: Cause) {
    match cause {
        Cause::Client => {}
        Cause::Shortage => sleep(SHORTAGE).await,
        Cause::LastingShortage => {
            shutdown.evict();
            let _ = timeout(SHORTAGE, shutdown.room()).await;
        }
    }
}
