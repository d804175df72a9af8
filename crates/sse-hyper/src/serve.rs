//! A server for apps with streams.

pub(crate) mod accept;
pub(crate) mod accept_errors;
pub(crate) mod acceptor;
pub(crate) mod app;
pub(crate) mod client_socket;
pub(crate) mod conn_state;
pub(crate) mod connections;
#[cfg_attr(
    not(feature = "http2"),
    expect(dead_code, reason = "parts of it are for HTTP/2")
)]
pub(crate) mod exchange;
#[cfg(feature = "http2")]
pub(crate) mod flood;
pub(crate) mod http1;
#[cfg(feature = "http2")]
pub(crate) mod http2;
pub(crate) mod log_limit;
pub(crate) mod phase_listener;
pub(crate) mod protocol;
pub(crate) mod rewind;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod shutdown;
pub(crate) mod streamless;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg_attr(
    not(feature = "http2"),
    expect(dead_code, reason = "parts of it are for HTTP/2")
)]
pub(crate) mod watchdog;

use std::{
    fmt,
    future::{Future, pending},
    net::IpAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use sse_core::{Manager, ShutdownOptions};
use sse_socket::SocketOptions;
use tokio::net::TcpListener;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ServerConfig;

use crate::{
    handoff::lazy_reactor::LazyReactor,
    serve::{connections::ConnectionBounds, watchdog::Timeouts},
    stats::TransportStatsHandle,
};

/// Default timeout for a request head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Default timeout for the next request. Most proxies close their connections after 60 s, and this
/// timeout is longer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);

/// Timeout for a client to take any bytes, if the server has no managers.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Minimum of the default maximum number of connections without a stream.
const STREAMLESS: usize = 4096;

/// Maximum timeout, in place of durations that the clock cannot hold.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Timeout for the client to take the remaining bytes after a stream was ended, unless
/// `connection_timeout` is shorter.
const LINGER: Duration = Duration::from_secs(5);

/// Serves a service on a listener, HTTP/1.1 and HTTP/2.
///
/// See [`Serve`] for the features that streams need and other servers lack.
///
/// ```no_run
/// use std::convert::Infallible;
///
/// use http::Request;
/// use hyper::body::Incoming;
///
/// # async fn example(manager: sse_core::Manager) -> std::io::Result<()> {
/// let streams = manager.clone();
/// let service = tower::service_fn(move |request: Request<Incoming>| {
///     let streams = streams.clone();
///     async move {
///         let (parts, _) = request.into_parts();
///         Ok::<_, Infallible>(match streams.connect(sse_hyper::handshake(&parts)) {
///             Ok(session) => sse_hyper::response(session),
///             Err(error) => sse_hyper::rejection(&error),
///         })
///     }
/// });
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// sse_hyper::serve(listener, service).manager(&manager).await
/// # }
/// ```
pub fn serve<S>(listener: TcpListener, service: S) -> Serve<S> {
    Serve {
        listener,
        service,
        managers: Vec::new(),
        drain: ShutdownOptions::default(),
        options: None,
        header_timeout: HEADER_TIMEOUT,
        keep_alive_timeout: KEEP_ALIVE_TIMEOUT,
        max_connections: usize::MAX,
        max_streamless: None,
        max_streamless_per_address: None,
        is_proxy: None,
        lazy_reactor: LazyReactor::default(),
        #[cfg(feature = "tls")]
        tls: None,
        signal: Box::pin(pending()),
    }
}

/// A server, started by awaiting it.
///
/// For streams, the server:
///
/// - sets `TCP_NODELAY`, keep-alive and the user timeout;
/// - breaks off a connection that is blocked in a write when its stream was ended: at once if the
///   client stalled, otherwise after 5 s, or after `connection_timeout` if that is shorter;
/// - ends the streams of its managers on shutdown. Without this, the streams would hold the
///   shutdown up until the deadline.
///
/// A stream over HTTP/1 without TLS leaves hyper once its head is due. A reactor then serves the
/// stream on the bare socket, with a twentieth of the memory. The threads of the reactor are
/// started for the first such stream, and run the managers' hooks in the context of this runtime.
/// `Connection: close` is the only visible difference.
///
/// The body is kept unpolled until the stream is over and dropped then. So guards that layers hold
/// work as intended, but changes that layers make to frames are not applied: see
/// [`KeepBody`](crate::KeepBody). The stream stays a body if a layer's body can change the bytes,
/// or if the connection must carry more than the stream: see [`Fallback`](crate::Fallback).
///
/// The server speaks HTTP/2 to clients that begin with HTTP/2 (RFC 9113, section 3.3), and over TLS
/// to clients that negotiate HTTP/2. A browser opens at most six connections to a server of
/// HTTP/1.1, one stream each, but many streams on one connection of HTTP/2.
///
/// A peer of HTTP/2 that answers no ping for the shortest `connection_timeout` of the managers is
/// closed. If a client takes nothing of a stream, the manager ends the stream and the server resets
/// it. The connection stays, because it can have other streams.
///
/// Connections without a stream are bounded, in total and for each address. At a bound, the longest
/// idle connection is closed for a newcomer. Each phase of a connection has a timeout: see
/// [`header_timeout`](Self::header_timeout) and [`keep_alive_timeout`](Self::keep_alive_timeout).
///
/// An upgraded connection belongs to the service. None of the above applies to an upgraded
/// connection, and a shutdown neither ends it nor waits for it.
///
/// The future resolves when the shutdown is complete. Failures to accept connections are logged,
/// and do not end the server.
///
/// *Cancel safety.* Dropping the future closes the listener. Open connections continue, and nothing
/// shuts them down any more.
#[must_use = "a server does nothing unless awaited"]
pub struct Serve<S> {
    listener: TcpListener,
    service: S,
    managers: Vec<Manager>,
    drain: ShutdownOptions,
    options: Option<SocketOptions>,
    header_timeout: Duration,
    keep_alive_timeout: Duration,
    max_connections: usize,
    max_streamless: Option<usize>,
    max_streamless_per_address: Option<usize>,
    is_proxy: Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>,
    lazy_reactor: LazyReactor,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Serve<S> {
    /// Shuts this manager's streams down with the server. Several managers can be added.
    ///
    /// The server accepts clients once the manager has [started](Manager::started). Clients that
    /// connect earlier wait in the system's queue.
    pub fn manager(mut self, manager: &Manager) -> Self {
        self.managers.push(manager.clone());
        self
    }

    /// Sets the options of the shutdown. The default deadline is 10 s.
    pub fn shutdown_options(mut self, options: ShutdownOptions) -> Self {
        self.drain = options;
        self
    }

    /// Sets the options of clients' sockets. By default, the user timeout is the shortest
    /// `connection_timeout` of the managers.
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// Sets the timeout for a request head; 30 s by default, a year at most.
    ///
    /// The first request, including the TLS handshake, must arrive within this time after the
    /// connection was accepted. The head of a later request must arrive within this time after its
    /// first byte.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout.min(FOREVER);
        self
    }

    /// Sets the timeout for the next request on a connection without requests in flight; 75 s by
    /// default, a year at most.
    ///
    /// Over HTTP/2, the timeout applies to a connection without open streams, even if the peer
    /// answers pings. A proxy in front must close its idle connections sooner. Otherwise some of
    /// its requests meet a connection that is being closed, and their clients receive a 502.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.keep_alive_timeout = timeout.min(FOREVER);
        self
    }

    /// Sets the maximum number of connections, without upgraded connections; unlimited by default.
    /// This maximum is the last resort against running out of files, and should be slightly below
    /// the limit of the system.
    ///
    /// At the maximum, a newcomer is accepted and a connection without a stream is closed. The
    /// closed connection is the longest idle connection of the address with the most connections
    /// without a stream, so that no address can keep others out. Newcomers wait only while every
    /// connection carries a stream. A lower `max_connections` of the manager prevents that.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = most;
        self
    }

    /// Sets the maximum number of connections without a stream. The default is twice the number of
    /// streams that the managers allow, and at least 4,096.
    ///
    /// A connection without a stream is idle, or has a request in flight that opens no stream. At
    /// the maximum, a connection without a stream is closed for a newcomer, as at
    /// [`max_connections`](Self::max_connections).
    pub fn max_streamless_connections(mut self, most: usize) -> Self {
        self.max_streamless = Some(most);
        self
    }

    /// Sets the maximum number of connections without a stream from one address, or from one IPv6
    /// network of 64 bits. The default is half of
    /// [`max_streamless_connections`](Self::max_streamless_connections).
    ///
    /// At the maximum, the longest idle connection is closed for a newcomer. A connection with a
    /// request in flight is closed only if no other connection can be closed.
    pub fn max_streamless_connections_per_address(mut self, most: usize) -> Self {
        self.max_streamless_per_address = Some(most);
        self
    }

    /// Sets a function that identifies the addresses of proxies, which stand for many clients. The
    /// maximum per address does not apply to proxies, and their connections are the last to be
    /// closed for others.
    pub fn proxies(mut self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.is_proxy = Some(Arc::new(is_proxy));
        self
    }

    /// Keeps all streams with hyper, which serves them as bodies.
    pub fn without_reactor(self) -> Self {
        self.lazy_reactor.switch_off();
        self
    }

    /// Sets the number of threads that serve the streams of the reactor. The default is the number
    /// of processors available to this process.
    pub fn reactor_threads(self, threads: NonZeroUsize) -> Self {
        self.lazy_reactor
            .configure(|reactor| reactor.threads(threads));
        self
    }

    /// Exposes this server's stream statistics through `transports`.
    pub fn transports(self, transports: &TransportStatsHandle) -> Self {
        transports.watch(&self.lazy_reactor);
        self
    }

    /// Speaks TLS. A configuration without ALPN protocols (RFC 7301) offers HTTP/2 and HTTP/1.1.
    ///
    /// The timeout of the handshake is [`header_timeout`](Self::header_timeout), and a slow
    /// handshake does not delay other clients. The resolver of the configuration is responsible for
    /// certificates that change.
    ///
    /// ```no_run
    /// # async fn example<S>(
    /// #     listener: tokio::net::TcpListener,
    /// #     service: S,
    /// # ) -> Result<sse_hyper::Serve<S>, Box<dyn std::error::Error>> {
    /// use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    ///
    /// let certificates = CertificateDer::pem_file_iter("cert.pem")?.collect::<Result<_, _>>()?;
    /// let private_key = PrivateKeyDer::from_pem_file("key.pem")?;
    /// let config =
    ///     rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, private_key)?;
    /// let server = sse_hyper::serve(listener, service).tls(config.into());
    /// # Ok(server)
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(tls::acceptor(config));
        self
    }

    /// Shuts down when the future resolves. The server announces the shutdown
    /// ([`Manager::is_shutting_down`]), continues to serve for the delay of the
    /// [`ShutdownOptions`], ends all streams, and finishes the responses in flight. At the
    /// deadline, the server breaks off the remaining connections. Without a future, the server
    /// never shuts down: it does not handle signals.
    ///
    /// New connections are accepted until the last of the earlier connections has closed, and the
    /// managers reject their streams. So a load balancer that still sends requests, or asks for
    /// readiness, receives a response. If the server refused the connection, the load balancer
    /// would respond with a 502, after which an `EventSource` never reconnects.
    pub fn with_graceful_shutdown(
        mut self,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.signal = Box::pin(signal);
        self
    }

    fn options(&self) -> SocketOptions {
        let options = self
            .connection_timeout()
            .map(|timeout| SocketOptions::default().user_timeout(timeout));
        self.options.or(options).unwrap_or_default()
    }

    fn linger(&self) -> Duration {
        self.connection_timeout()
            .map_or(LINGER, |timeout| timeout.min(LINGER))
    }

    fn connection_timeout(&self) -> Option<Duration> {
        self.managers
            .iter()
            .map(|manager| manager.config().connection_timeout)
            .min()
    }

    fn timeouts(&self) -> Timeouts {
        Timeouts {
            header: self.header_timeout,
            keep_alive: self.keep_alive_timeout,
            // The managers are the first to end a stalled stream, with a reason.
            write: self
                .connection_timeout()
                .unwrap_or(CONNECTION_TIMEOUT)
                .min(FOREVER)
                + self.linger(),
            linger: self.linger(),
        }
    }

    fn bounds(&self) -> ConnectionBounds {
        let streams = self
            .managers
            .iter()
            .map(|manager| manager.config().max_connections);
        let streams = streams.fold(0, usize::saturating_add);
        let streamless = self
            .max_streamless
            .unwrap_or(streams.saturating_mul(2).max(STREAMLESS))
            .max(1);
        let per_address = self
            .max_streamless_per_address
            .unwrap_or(streamless / 2)
            .max(1);
        ConnectionBounds {
            streamless,
            streamless_per_address: per_address,
            is_proxy: self.is_proxy.clone(),
        }
    }
}

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}
