//! A server for Axum apps with streams.

use std::{
    convert::Infallible,
    future::{Future, IntoFuture},
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use http::Request;
use hyper::body::Incoming;
use sse_core::{Manager, ShutdownOptions};
use sse_hyper::{PeerAddr, SocketOptions, TransportStatsHandle};
use tokio::net::TcpListener;
use tower_service::Service;

/// Serves a router on a listener. For apps with streams, this function replaces `axum::serve`.
///
/// See [`sse_hyper::Serve`] for the features for streams. Handlers can extract
/// `ConnectInfo<SocketAddr>`.
///
/// ```no_run
/// # async fn example(app: axum::Router, sse: sse_core::Manager) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// sse_axum::serve(listener, app)
///     .manager(&sse)
///     .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
///     .await
/// # }
/// ```
pub fn serve(listener: TcpListener, router: Router) -> Serve {
    Serve(sse_hyper::serve(listener, PeerRouter(router)))
}

/// A server, started by awaiting it.
#[derive(Debug)]
#[must_use = "a server does nothing unless awaited"]
pub struct Serve(sse_hyper::Serve<PeerRouter>);

impl Serve {
    /// See [`sse_hyper::Serve::manager`].
    pub fn manager(self, manager: &Manager) -> Self {
        Self(self.0.manager(manager))
    }

    /// See [`sse_hyper::Serve::shutdown_options`].
    pub fn shutdown_options(self, options: ShutdownOptions) -> Self {
        Self(self.0.shutdown_options(options))
    }

    /// See [`sse_hyper::Serve::socket_options`].
    pub fn socket_options(self, options: SocketOptions) -> Self {
        Self(self.0.socket_options(options))
    }

    /// See [`sse_hyper::Serve::header_timeout`].
    pub fn header_timeout(self, timeout: std::time::Duration) -> Self {
        Self(self.0.header_timeout(timeout))
    }

    /// See [`sse_hyper::Serve::keep_alive_timeout`].
    pub fn keep_alive_timeout(self, timeout: std::time::Duration) -> Self {
        Self(self.0.keep_alive_timeout(timeout))
    }

    /// See [`sse_hyper::Serve::max_connections`].
    pub fn max_connections(self, most: usize) -> Self {
        Self(self.0.max_connections(most))
    }

    /// See [`sse_hyper::Serve::max_streamless_connections`].
    pub fn max_streamless_connections(self, most: usize) -> Self {
        Self(self.0.max_streamless_connections(most))
    }

    /// See [`sse_hyper::Serve::max_streamless_connections_per_address`].
    pub fn max_streamless_connections_per_address(self, most: usize) -> Self {
        Self(self.0.max_streamless_connections_per_address(most))
    }

    /// See [`sse_hyper::Serve::proxies`].
    pub fn proxies(self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(self.0.proxies(is_proxy))
    }

    /// See [`sse_hyper::Serve::without_reactor`].
    pub fn without_reactor(self) -> Self {
        Self(self.0.without_reactor())
    }

    /// See [`sse_hyper::Serve::reactor_threads`].
    pub fn reactor_threads(self, threads: std::num::NonZeroUsize) -> Self {
        Self(self.0.reactor_threads(threads))
    }

    /// See [`sse_hyper::Serve::transports`].
    pub fn transports(self, transports: &TransportStatsHandle) -> Self {
        Self(self.0.transports(transports))
    }

    /// See [`sse_hyper::Serve::tls`].
    #[cfg(feature = "tls")]
    pub fn tls(self, config: std::sync::Arc<sse_hyper::rustls::ServerConfig>) -> Self {
        Self(self.0.tls(config))
    }

    /// See [`sse_hyper::Serve::with_graceful_shutdown`].
    pub fn with_graceful_shutdown(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(self.0.with_graceful_shutdown(signal))
    }
}

impl IntoFuture for Serve {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.0.into_future()
    }
}

/// A router whose requests carry the address of their peer.
#[derive(Debug, Clone)]
struct PeerRouter(Router);

impl Service<Request<Incoming>> for PeerRouter {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(PeerAddr(address)) = request.extensions().get().copied() {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        self.0.call(request)
    }
}
