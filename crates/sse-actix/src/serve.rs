//! A server for Actix apps with streams.

use std::{
    fmt,
    future::{Future, IntoFuture, pending},
    io,
    net::TcpListener,
    pin::Pin,
    time::Duration,
};

use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::{
    Error, HttpServer,
    body::MessageBody,
    dev::{AppConfig, Server, ServerHandle},
};
use sse_core::{Manager, ShutdownOptions};
use sse_socket::SocketOptions;
use tokio::{task::JoinSet, time::sleep};
use tracing::{info, warn};

use crate::{on_connect::prepare, shutdown_signal::ShutdownSignals};

/// Timeout for workers that were stopped at the deadline to drop their connections.
const DROPPING: Duration = Duration::from_secs(1);

/// Serves an `HttpServer` on a listener. For apps with streams, this function replaces `bind` and
/// `run`.
///
/// See [`Serve`] for the features for streams. Other settings of the server are kept, except for
/// `on_connect`, `h1_allow_half_closed`, `shutdown_timeout` and the handling of signals.
///
/// ```no_run
/// use actix_web::{App, HttpServer, web};
///
/// # async fn example(sse: sse_core::Manager) -> std::io::Result<()> {
/// let data = web::Data::new(sse.clone());
/// let server = HttpServer::new(move || App::new().app_data(data.clone()));
/// let listener = std::net::TcpListener::bind("127.0.0.1:3000")?;
/// sse_actix::serve(listener, server).manager(&sse).await
/// # }
/// ```
pub fn serve<F, I, S, B>(listener: TcpListener, server: HttpServer<F, I, S, B>) -> Serve<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig>,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    Serve {
        listener,
        server,
        managers: Vec::new(),
        drain: ShutdownOptions::default(),
        options: None,
        signal: None,
    }
}

/// A server, started by awaiting it.
///
/// For streams, the server:
///
/// - detects clients that close their half of a connection;
/// - sets `TCP_NODELAY`, keep-alive and the user timeout, which ends a connection whose client
///   takes nothing;
/// - ends the streams of its managers on shutdown. Without this, the streams would hold the
///   shutdown up until its timeout.
///
/// With the feature `http2`, the server also speaks HTTP/2 to clients that begin with HTTP/2.
///
/// The server can be awaited on any tokio runtime. The workers have their own.
///
/// The future fails if Actix cannot listen or run, or if no signal handler can be installed.
///
/// *Cancel safety.* Dropping the future stops the server at once.
#[must_use = "a server does nothing unless awaited"]
pub struct Serve<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig>,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    listener: TcpListener,
    server: HttpServer<F, I, S, B>,
    managers: Vec<Manager>,
    drain: ShutdownOptions,
    options: Option<SocketOptions>,
    signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<F, I, S, B> Serve<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request> + 'static,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    /// Shuts this manager's streams down with the server. Several managers can be added.
    ///
    /// The server accepts clients once the manager has [started](Manager::started). Clients that
    /// connect earlier wait in the system's queue.
    pub fn manager(mut self, manager: &Manager) -> Self {
        self.managers.push(manager.clone());
        self
    }

    /// Sets the options of the shutdown. The default deadline is 10 s.
    ///
    /// Actix counts in whole seconds, so its workers can take up to one second longer than the
    /// deadline for the remaining connections.
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

    /// Shuts down when the future resolves. The server announces the shutdown
    /// ([`Manager::is_shutting_down`]), and continues to serve for the delay of the
    /// [`ShutdownOptions`]. Then it accepts no more clients, ends all streams, and finishes the
    /// responses in flight. At the deadline, the server breaks off the remaining connections.
    ///
    /// Without a future, SIGINT and SIGTERM start the shutdown, as in Actix. A second signal stops
    /// the server at once.
    pub fn with_graceful_shutdown(
        mut self,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.signal = Some(Box::pin(signal));
        self
    }

    fn options(&self) -> SocketOptions {
        let timeout = self
            .managers
            .iter()
            .map(|manager| manager.config().connection_timeout)
            .min();
        let options = timeout.map(|timeout| SocketOptions::default().user_timeout(timeout));
        self.options.or(options).unwrap_or_default()
    }

    async fn run(mut self) -> io::Result<()> {
        let options = self.options();
        let starting: JoinSet<bool> = self
            .managers
            .iter()
            .cloned()
            .map(|manager| async move { manager.started().await })
            .collect();
        let signalled = async {
            match &mut self.signal {
                Some(signal) => signal.await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = signalled => return Ok(()),
            _ = starting.join_all() => {}
        }
        let server = prepare(self.server, options)
            .disable_signals()
            .shutdown_timeout(seconds(self.drain.deadline()));
        #[cfg(feature = "http2")]
        let server = server.listen_auto_h2c(self.listener)?.run();
        #[cfg(not(feature = "http2"))]
        let server = server.listen(self.listener)?.run();
        let running = RunningServer {
            handle: server.handle(),
            managers: self.managers,
            drain: self.drain,
        };
        match self.signal {
            Some(signal) => running.until(server, signal).await,
            None => {
                let mut signals = ShutdownSignals::listen()?;
                running.until_signals(server, &mut signals).await
            }
        }
    }
}

/// A running server. Dropping it stops the server at once.
struct RunningServer {
    handle: ServerHandle,
    managers: Vec<Manager>,
    drain: ShutdownOptions,
}

impl RunningServer {
    async fn until(self, mut server: Server, signal: impl Future<Output = ()>) -> io::Result<()> {
        tokio::select! {
            result = &mut server => return result,
            () = signal => {}
        }
        self.stop(server).await
    }

    async fn until_signals(
        self,
        mut server: Server,
        signals: &mut ShutdownSignals,
    ) -> io::Result<()> {
        tokio::select! {
            result = &mut server => return result,
            () = signals.next() => {}
        }
        tokio::select! {
            result = self.stop(server) => result,
            () = signals.next() => {
                warn!("stopped at once by a second signal");
                Ok(())
            }
        }
    }

    /// Stops the server. The managers end their streams while Actix waits for its workers, which
    /// wait for their connections.
    async fn stop(&self, mut server: Server) -> io::Result<()> {
        self.managers.iter().for_each(Manager::announce_shutdown);
        let delay = self.drain.delay().min(FOREVER);
        if !delay.is_zero() {
            info!(?delay, "shutdown announced");
            tokio::select! {
                result = &mut server => return result,
                () = sleep(delay) => {}
            }
        }
        info!("shutdown started");
        let mut drains = JoinSet::new();
        for manager in &self.managers {
            let (manager, drain) = (
                manager.clone(),
                self.drain.clone().with_delay(Duration::ZERO),
            );
            drains.spawn(async move { manager.shutdown(drain).await });
        }
        let (result, (), _) = tokio::join!(server, self.handle.stop(true), drains.join_all());
        // At its deadline, a worker reports its end before it drops its connections.
        for manager in &self.managers {
            manager.shutdown(ShutdownOptions::within(DROPPING)).await;
        }
        result
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // The command is sent before the future is polled, and its result is not needed.
        drop(self.handle.stop(false));
    }
}

/// Maximum timeout, in place of durations that clocks cannot hold.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Rounds a deadline up to whole seconds, in which Actix counts. The minimum is one second, because
/// Actix would not wait at all with zero.
fn seconds(deadline: Duration) -> u64 {
    (deadline.as_secs() + u64::from(deadline.subsec_nanos() > 0)).clamp(1, FOREVER.as_secs())
}

impl<F, I, S, B> IntoFuture for Serve<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request> + 'static,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<F, I, S, B> fmt::Debug for Serve<F, I, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig>,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}
