//! A server from its start to its end.

use std::{io, panic::resume_unwind, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use sse_core::{Manager, ShutdownOptions};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tower_service::Service;
use tracing::{info, warn};

use crate::{
    handoff::lazy_reactor::LazyReactor,
    serve::{
        FOREVER, Serve,
        accept::ConnectionConfig,
        acceptor::Acceptor,
        app::{BoxError, HttpApp},
        shutdown::{ServerPhase, Shutdown},
    },
};

async fn run<S: HttpApp>(server: Serve<S>) -> io::Result<()> {
    let shutdown = Shutdown::new(server.timeouts(), server.bounds());
    let late = Arc::new(Shutdown::new(server.timeouts(), server.bounds()));
    let options = server.options();
    server.lazy_reactor.configure(|reactor| {
        reactor
            .linger(server.linger())
            .departed(shutdown.departed())
    });
    let config = ConnectionConfig {
        #[cfg(feature = "http2")]
        ping_timeout: server
            .connection_timeout()
            .unwrap_or(crate::serve::CONNECTION_TIMEOUT)
            / 2,
        #[cfg(feature = "tls")]
        tls: server.tls.clone(),
        lazy_reactor: server.lazy_reactor.clone(),
    };
    let Serve {
        listener,
        service,
        managers,
        drain,
        header_timeout,
        max_connections,
        lazy_reactor,
        mut signal,
        ..
    } = server;
    if let Err(error) = options.set(&listener) {
        // The options are then set on each client's socket.
        tracing::debug!(%error, "failed to set socket options of the listener");
    }
    let shutdown = Arc::new(shutdown);
    let acceptor = Acceptor {
        listener,
        service,
        options,
        config,
        header_timeout,
        max_connections,
        shutdown: Arc::clone(&shutdown),
        earlier: None,
        waiting: None,
    };
    // Clients that connect before the managers have started wait in the system's queue.
    tokio::select! {
        biased;
        () = &mut signal => {
            drop(acceptor);
            stop(&shutdown, &managers, drain.with_delay(Duration::ZERO), &lazy_reactor).await;
            return Ok(());
        }
        () = started(&managers) => {}
    }
    // The acceptor runs on its own task, so that it is on a worker thread, where the
    // connections are. On the thread that awaits this server, each connection would have to be
    // moved to another thread.
    let mut accepting = JoinSet::new();
    let (close, closed) = oneshot::channel::<()>();
    accepting.spawn(acceptor.open_until(closed));
    let ends = async {
        signal.await;
        announce(&managers, &drain).await;
    };
    tokio::select! {
        biased;
        () = ends => {}
        Some(Err(error)) = accepting.join_next() => {
            if let Ok(panic) = error.try_into_panic() {
                resume_unwind(panic);
            }
        }
    }
    // The drain waits for the current connections, and not for late ones.
    drop(close);
    let mut late_comers = JoinSet::new();
    let deadline = Instant::now() + drain.deadline().min(FOREVER);
    if let Some(Ok(acceptor)) = accepting.join_next().await {
        let mut acceptor = acceptor.for_late(&late);
        late_comers.spawn(async move { acceptor.open().await });
    }
    stop(
        &shutdown,
        &managers,
        drain.with_delay(Duration::ZERO),
        &lazy_reactor,
    )
    .await;
    late_comers.shutdown().await;
    late.enter(ServerPhase::Draining);
    if timeout_at(deadline, late.all_closed()).await.is_err() {
        late.enter(ServerPhase::Aborting);
        late.all_closed().await;
    }
    Ok(())
}

/// Waits until the managers can accept streams, for as long as each manager requires.
async fn started(managers: &[Manager]) {
    let starting: JoinSet<bool> = managers
        .iter()
        .cloned()
        .map(|manager| async move { manager.started().await })
        .collect();
    starting.join_all().await;
}

/// Announces the shutdown to readiness checks, and waits for load balancers to react.
async fn announce(managers: &[Manager], drain: &ShutdownOptions) {
    managers.iter().for_each(Manager::announce_shutdown);
    let delay = drain.delay().min(FOREVER);
    if !delay.is_zero() {
        info!(?delay, "shutdown announced");
        sleep(delay).await;
    }
}

async fn stop(
    shutdown: &Shutdown,
    managers: &[Manager],
    drain: ShutdownOptions,
    lazy_reactor: &LazyReactor,
) {
    let deadline = Instant::now() + drain.deadline().min(FOREVER);
    info!(connections = shutdown.connections(), "shutdown started");
    shutdown.enter(ServerPhase::Draining);
    let drained = managers.iter().map(|manager| {
        let (manager, drain) = (manager.clone(), drain.clone());
        tokio::spawn(async move { manager.shutdown(drain).await })
    });
    for task in drained.collect::<Vec<_>>() {
        if let Err(error) = task.await {
            warn!(%error, "failed to shut down a manager");
        }
    }
    if timeout_at(deadline, shutdown.all_closed()).await.is_err() {
        warn!(
            connections = shutdown.connections(),
            "aborted connections at the shutdown deadline"
        );
        shutdown.enter(ServerPhase::Aborting);
        lazy_reactor.abort();
        shutdown.all_closed().await;
    }
}

impl<S, B> IntoFuture for Serve<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}
