//! From an accepted socket to a connection that speaks a protocol.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tower_service::Service;
use tracing::debug;

use crate::{
    fallback::Fallback,
    http1,
    io::ClientSocket,
    protocol::{self, Protocol},
    reception::Reception,
    rewound::Rewound,
    shutdown::PhaseListener,
    side::Side,
    watching::Watching,
};

/// What a server serves with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What holds for every connection of a server.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) header_timeout: Duration,
    /// After so long a peer of HTTP/2 is pinged, and after as long again it is given up.
    #[cfg(feature = "http2")]
    pub(crate) ping_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<tokio_rustls::TlsAcceptor>,
    pub(crate) reception: Reception,
}

/// A socket that was accepted.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) listener: PhaseListener,
}

impl Arrival {
    /// Finds out what the client speaks, and leaves the rest to a task of its own: what is needed here is not kept for the life of the
    /// connection.
    pub(crate) async fn served<S, B>(self, service: S, terms: Terms)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Self { socket, peer, listener } = self;
        let side = Arc::new(Side::default());
        let socket = ClientSocket::new(socket, Arc::clone(&side));
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &terms.tls {
            let shaken = crate::tls::shake_hands(acceptor, socket);
            let Some(((stream, agreed), listener)) = in_time(shaken, &terms, listener, peer).await else {
                return;
            };
            let connection = Connection { io: stream, peer, side, listener, unfit: Some(Fallback::Tls) };
            return connection.served(service, terms, agreed).await;
        }
        let unfit = terms.reception.is_off().then_some(Fallback::Off);
        Connection { io: socket, peer, side, listener, unfit }.served(service, terms, None).await;
    }
}

/// A connection that speaks some HTTP.
struct Connection<I> {
    io: I,
    peer: SocketAddr,
    side: Arc<Side>,
    listener: PhaseListener,
    /// Why no stream of it is the reactor's, if so.
    unfit: Option<Fallback>,
}

impl<I: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<I> {
    async fn served<S, B>(self, service: S, terms: Terms, agreed: Option<Protocol>)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Self { mut io, peer, side, listener, unfit } = self;
        let mut read = Vec::new();
        let detected = async {
            match agreed {
                Some(protocol) => Ok(protocol),
                None => protocol::detect(&mut io, &mut read).await,
            }
        };
        let Some((protocol, listener)) = in_time(detected, &terms, listener, peer).await else { return };
        let io = Rewound::new(io, read);
        let watching = |unfit| Watching::new(service, peer, Arc::clone(&side), terms.reception, unfit);
        match protocol {
            #[cfg(feature = "http2")]
            Protocol::Http2 => {
                let service = watching(Some(unfit.unwrap_or(Fallback::Http2)));
                tokio::spawn(crate::http2::connection(io, service, terms.ping_timeout, listener, side));
            }
            Protocol::Http1 => {
                let service = watching(unfit);
                tokio::spawn(http1::connection(io, service, terms.header_timeout, listener, side));
            }
        }
    }
}

/// What comes of it, unless it fails, takes too long, or the server stops.
async fn in_time<T>(
    doing: impl Future<Output = io::Result<T>>,
    terms: &Terms,
    mut listener: PhaseListener,
    peer: SocketAddr,
) -> Option<(T, PhaseListener)> {
    tokio::select! {
        biased;
        done = timeout(terms.header_timeout, doing) => match done {
            Ok(Ok(done)) => return Some((done, listener.moved())),
            Ok(Err(error)) => debug!(%peer, %error, "connection ended"),
            Err(_) => debug!(%peer, "nothing came in time"),
        },
        () = listener.stopping() => {}
    }
    None
}
