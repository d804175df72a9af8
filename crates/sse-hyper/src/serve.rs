//! A server for apps with streams.

pub(crate) mod accept;
pub(crate) mod accept_errors;
pub(crate) mod acceptor;
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
    serve::{connections::Bounds, watchdog::Timeouts},
    stats::TransportStatsHandle,
};

/// Default timeout for a request head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Default timeout for the next request: longer than proxies keep their connections, which most
/// close after 60 s.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);

/// Timeout for a client to take anything, of a server without managers.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Minimum of the default maximum number of connections without a stream.
const STREAMLESS: usize = 4096;

/// In place of times beyond what the clock can hold.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// After a stream was ended its connection has so long to take what is left, unless
/// `connection_timeout` is shorter.
const LINGER: Duration = Duration::from_secs(5);

/// Serves a service on a listener, HTTP/1.1 and HTTP/2.
///
/// See [`Serve`] for what it does for streams that other servers do not.
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
/// For streams it sets `TCP_NODELAY`, keep-alive and the user timeout; breaks off a connection
/// whose stream was ended while it is blocked in a write (at once when the client stalled, else
/// after 5 s, or `connection_timeout` where that is shorter); and ends the streams of its managers
/// when it shuts down, which would otherwise wait for them until the deadline.
///
/// A stream over HTTP/1 without TLS leaves hyper once its head is due, and a reactor serves it on
/// the bare socket, with a twentieth of the memory: threads that are started for the first of them,
/// in which the managers' hooks run in the context of this runtime. Nothing of it shows but
/// `Connection: close`. The body is kept unpolled until the stream is over, and dropped then, so
/// guards of layers do what they should, and what layers do with frames is not done: see
/// [`KeepBody`](crate::KeepBody). Where a layer's body may change the bytes, or more than a stream
/// is asked of the connection, the stream stays a body: see [`Fallback`](crate::Fallback).
///
/// HTTP/2 is spoken to clients that begin with it (RFC 9113, section 3.3), and over TLS to those
/// that negotiate it: a browser has six connections to a server of HTTP/1.1, one stream each, and
/// as many streams as it likes on one of HTTP/2. There a peer that answers no ping for the shortest
/// `connection_timeout` of the managers is closed; a stream whose client takes nothing is ended by
/// its manager and reset, and the connection, which may have others, stays.
///
/// Connections without a stream are bounded, in all and for each address, and at a bound the
/// longest idle one is closed for a newcomer. Each phase of a connection has a timeout: see
/// [`header_timeout`](Self::header_timeout) and [`keep_alive_timeout`](Self::keep_alive_timeout).
///
/// A connection that was upgraded is the service's own: none of this concerns it, and a shutdown
/// neither ends nor awaits it.
///
/// *Cancel safety.* Dropping the future closes the listener. Connections go on, and nothing shuts
/// them down any more.
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
    /// Shuts this manager's streams down with the server. May be called for several.
    ///
    /// The server accepts clients once the manager has [started](Manager::started): whoever
    /// connects earlier waits in the system's queue.
    pub fn manager(mut self, manager: &Manager) -> Self {
        self.managers.push(manager.clone());
        self
    }

    /// How to shut down; by default within 10 s.
    pub fn drain(mut self, drain: ShutdownOptions) -> Self {
        self.drain = drain;
        self
    }

    /// Options of clients' sockets; by default the user timeout is the shortest
    /// `connection_timeout` of the managers.
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// Timeout for a request head; 30 s by default, a year at most.
    ///
    /// The first request, with the handshake of TLS before it, must be there within this time from
    /// the connection on; a later one within this time from its first byte on.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout.min(FOREVER);
        self
    }

    /// Timeout for the next request on a connection that has none in flight; 75 s by default, a
    /// year at most.
    ///
    /// Over HTTP/2 this is a connection without open streams, whether it answers pings or not. A
    /// proxy in front must close its idle connections sooner, or some of its requests meet a
    /// connection that is being closed, which is a 502 for their clients.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.keep_alive_timeout = timeout.min(FOREVER);
        self
    }

    /// Maximum number of connections, upgraded ones not among them; none by default. It is the last
    /// resort against running out of files, so it should be a little below what the system allows.
    ///
    /// At the maximum a newcomer is let in, and a connection without a stream is closed for it.
    /// That is the longest idle one of the address that has the most of them, so nobody can keep
    /// others out. Newcomers wait only while every connection carries a stream; a lower
    /// `max_connections` of the manager prevents that.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = most;
        self
    }

    /// Maximum number of connections without a stream; by default twice as many as the managers
    /// allow streams, and at least 4,096.
    ///
    /// They are idle, or have a request in flight that opens no stream. At the maximum one of them
    /// is closed for a newcomer, as at [`max_connections`](Self::max_connections).
    pub fn max_streamless_connections(mut self, most: usize) -> Self {
        self.max_streamless = Some(most);
        self
    }

    /// Maximum number of connections without a stream from one address, or from one network of 64
    /// bits of IPv6; by default half of
    /// [`max_streamless_connections`](Self::max_streamless_connections).
    ///
    /// At the maximum the longest idle one is closed for a newcomer; one with a request in flight
    /// only if there is no other.
    pub fn max_streamless_connections_per_address(mut self, most: usize) -> Self {
        self.max_streamless_per_address = Some(most);
        self
    }

    /// Tells the addresses of proxies, which stand for many clients. The maximum of an address does
    /// not apply to them, and their connections are the last to be closed for others.
    pub fn proxies(mut self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.is_proxy = Some(Arc::new(is_proxy));
        self
    }

    /// Streams stay with hyper, as the bodies that they are.
    pub fn without_reactor(self) -> Self {
        self.lazy_reactor.switch_off();
        self
    }

    /// How many threads serve streams that left hyper; by default as many as there are processors
    /// for this process.
    pub fn reactor_threads(self, threads: NonZeroUsize) -> Self {
        self.lazy_reactor
            .configure(|reactor| reactor.threads(threads));
        self
    }

    /// Lets it be read there how streams are served, for metrics.
    pub fn transports(self, transports: &TransportStatsHandle) -> Self {
        transports.watch(&self.lazy_reactor);
        self
    }

    /// Speaks TLS. A configuration that names no protocols for ALPN (RFC 7301) offers HTTP/2 and
    /// HTTP/1.1.
    ///
    /// The handshake has the time of [`header_timeout`](Self::header_timeout), and holds nobody
    /// else up. Certificates that change are the affair of the configuration's resolver.
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

    /// Shuts down when the future resolves: announces it ([`Manager::is_shutting_down`]), serves on
    /// for the delay of the [`ShutdownOptions`], ends all streams, finishes the answers in flight,
    /// and breaks off what is left at the deadline.
    ///
    /// Until the last of the earlier connections has closed new ones are accepted, whose streams
    /// the managers reject: a load balancer that still sends, or asks for readiness, receives an
    /// answer. A refused connection would become its own 502, after which an `EventSource` never
    /// returns.
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
            // The managers are the first to give a stream up, with a reason.
            write: self
                .connection_timeout()
                .unwrap_or(CONNECTION_TIMEOUT)
                .min(FOREVER)
                + self.linger(),
            linger: self.linger(),
        }
    }

    fn bounds(&self) -> Bounds {
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
        Bounds {
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
