//! The way from an accepted socket to a connection that speaks a protocol.

#[cfg(feature = "http2")]
use std::time::Duration;
use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tracing::debug;

#[cfg(feature = "http2")]
use crate::serve::exchange::LatestExchange;
use crate::{
    handoff::{fallback::Fallback, lazy_reactor::LazyReactor},
    serve::{
        app::HttpApp,
        client_socket::ClientSocket,
        http1,
        phase_listener::PhaseListener,
        protocol::{self, Protocol},
        rewind::Rewind,
        service::StreamService,
    },
};

/// The configuration of every connection of a server.
#[derive(Clone)]
pub(crate) struct ConnectionConfig {
    /// Time without traffic after which a peer of HTTP/2 is pinged. The peer has the same time
    /// again to answer before the connection is closed.
    #[cfg(feature = "http2")]
    pub(crate) ping_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<tokio_rustls::TlsAcceptor>,
    pub(crate) lazy_reactor: LazyReactor,
}

/// An accepted socket.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) listener: PhaseListener,
    /// Deadline for the first request.
    pub(crate) deadline: Instant,
}

impl Accepted {
    /// Detects the protocol of the client and spawns a separate task for the rest. The state needed
    /// here is then not kept for the life of the connection.
    pub(crate) async fn served<S: HttpApp>(self, service: S, config: ConnectionConfig) {
        let Self {
            socket,
            peer,
            listener,
            deadline,
        } = self;
        let socket = ClientSocket::new(socket, Arc::clone(listener.conn_state()));
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &config.tls {
            let shaken = crate::serve::tls::shake_hands(acceptor, socket);
            let Some(((stream, agreed), listener)) =
                in_time(shaken, deadline, listener, peer).await
            else {
                return;
            };
            let connection = AcceptedConnection {
                io: stream,
                peer,
                listener,
                deadline,
                unfit: Some(Fallback::Tls),
            };
            return connection.served(service, config, agreed).await;
        }
        let unfit = config.lazy_reactor.is_off().then_some(Fallback::Off);
        AcceptedConnection {
            io: socket,
            peer,
            listener,
            deadline,
            unfit,
        }
        .served(service, config, None)
        .await;
    }
}

/// A connection that speaks a version of HTTP.
struct AcceptedConnection<I> {
    io: I,
    peer: SocketAddr,
    listener: PhaseListener,
    deadline: Instant,
    /// The reason why the reactor serves no stream of this connection, or `None`.
    unfit: Option<Fallback>,
}

impl<I: AsyncRead + AsyncWrite + Unpin + Send + 'static> AcceptedConnection<I> {
    async fn served<S: HttpApp>(
        self,
        service: S,
        config: ConnectionConfig,
        agreed: Option<Protocol>,
    ) {
        let Self {
            mut io,
            peer,
            listener,
            deadline,
            unfit,
        } = self;
        let mut read = Vec::new();
        let detected = protocol::begin(&mut io, agreed, &mut read);
        let Some((protocol, listener)) = in_time(detected, deadline, listener, peer).await else {
            return;
        };
        let io = Rewind::new(io, read);
        let conn_state = Arc::clone(listener.conn_state());
        let watching = |latest, unfit| {
            StreamService::new(
                service,
                peer,
                conn_state,
                latest,
                config.lazy_reactor,
                unfit,
            )
        };
        match protocol {
            #[cfg(feature = "http2")]
            Protocol::Http2 => {
                let latest = LatestExchange::default();
                let service =
                    watching(Some(latest.clone()), Some(unfit.unwrap_or(Fallback::Http2)));
                tokio::spawn(crate::serve::http2::connection(
                    io,
                    service,
                    latest,
                    config.ping_timeout,
                    listener,
                ));
            }
            Protocol::Http1 => {
                let service = watching(None, unfit);
                tokio::spawn(http1::connection(io, service, deadline, listener));
            }
        }
    }
}

/// Returns the output of the future, unless the future fails, the deadline passes, or the
/// connection is to end.
async fn in_time<T>(
    doing: impl Future<Output = io::Result<T>>,
    deadline: Instant,
    mut listener: PhaseListener,
    peer: SocketAddr,
) -> Option<(T, PhaseListener)> {
    tokio::select! {
        biased;
        done = timeout_at(deadline, doing) => match done {
            Ok(Ok(done)) => return Some((done, listener.moved())),
            Ok(Err(error)) => debug!(%peer, %error, "failed to set up a connection"),
            Err(_) => debug!(%peer, "closed a connection that sent no request in time"),
        },
        () = listener.stopping() => {}
    }
    None
}
