//! Listening, serving, and shutting down.

pub(crate) mod backplane;
pub(crate) mod broker_tls;
pub(crate) mod logs;
pub(crate) mod open_files;
pub(crate) mod output;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod signals;
pub(crate) mod tls;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use sse_auth::Origins;
use sse_axum::TransportStatsHandle;
use sse_cluster::{Cluster, ClusterConfig};
use sse_core::{Manager, ManagerBuilder, ShutdownOptions, access::AllowAll};
use sse_trpc::{CallLimits, Management, Transformer};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::oneshot,
    time::sleep,
};
use tracing::{info, warn};

use crate::{
    app::{self, demo_page, hosts::Hosts, metrics, secured::Secured},
    error::Error,
    server::{
        backplane::Opened,
        logs::{AUTH, Outputs},
        reload::Reload,
        signals::{Ending, ProcessSignals, SignalEffect},
        tls::ReloadableTls,
    },
    settings::Settings,
};

/// Maximum number of connections that wait to be accepted; the system can lower it.
const BACKLOG: u32 = 4096;

/// Timeout for the reader of the log when a second signal ends the process.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Serves at most `max_connections` connections until a signal ends the hub.
pub(crate) async fn serve(mut settings: Settings, max_connections: usize) -> Result<(), Error> {
    if settings.configured.is_none() && !settings.is_for_this_machine() {
        warn!(listen = %settings.listen, "started demo mode on an address that other machines can reach; everybody may do everything");
    }
    if settings
        .configured
        .as_ref()
        .is_some_and(|configured| configured.needs_tickets)
    {
        info!(target: AUTH, "restricted streams to tickets, since --auth is not set; backends request tickets with sse.createTicket");
    }
    let listener = listen(settings.listen)?;
    let signals = ProcessSignals::new().map_err(|source| Error::System {
        what: "failed to install the signal handlers",
        source,
    })?;
    let mut streams = settings.streams;
    let log = match &settings.backplane {
        Some(backplane) => Some(backplane.open(&mut streams).await?),
        None => None,
    };
    let builder = Manager::builder().config(streams);
    let builder = log
        .iter()
        .filter_map(Opened::log)
        .fold(builder, ManagerBuilder::backplane);
    let transports = TransportStatsHandle::default();
    let proxies = settings
        .configured
        .as_ref()
        .map(|configured| configured.proxies.clone());
    let proxies = proxies.unwrap_or_default();
    let node = settings
        .backplane
        .and_then(|backplane| backplane.node)
        .or_else(|| address(&listener));
    let config = node
        .iter()
        .fold(ClusterConfig::new(), |config, name| config.name(name));
    let reload = reload(settings.configured.as_mut(), settings.tls.as_ref());
    let access_control = AccessControl::new(settings.configured, settings.origins);
    let (cluster, router) = app(
        builder,
        config,
        settings.management,
        settings.transformer,
        access_control,
        settings.hosts,
        &transports,
    )?;
    announce(&listener, settings.tls.is_some());
    let server = sse_axum::serve(listener, router);
    let server = if settings.reactor {
        server
    } else {
        server.without_reactor()
    };
    let server = server
        .manager(cluster.manager())
        .transports(&transports)
        .header_timeout(settings.connections.header)
        .keep_alive_timeout(settings.connections.keep_alive)
        .max_connections(max_connections)
        .proxies(move |address| proxies.contains(address))
        .shutdown_options(ShutdownOptions::within(settings.drain))
        .with_graceful_shutdown(ended(
            signals,
            reload,
            cluster.manager().clone(),
            settings.drain_delay,
        ));
    let server = match settings.tls {
        Some(tls) => server.tls(tls.config),
        None => server,
    };
    let served = server.await.map_err(|source| Error::System {
        what: "failed to serve",
        source,
    });
    cluster.shutdown().await;
    if let Some(log) = log {
        log.close().await;
    }
    served
}

/// Access control of the hub.
pub(crate) enum AccessControl {
    /// Demo mode: every program, but only pages of the hub itself and of these origins.
    Demo(Origins),
    Configured(Box<Secured>),
}

impl AccessControl {
    pub(crate) fn new(configured: Option<Secured>, origins: Origins) -> Self {
        match configured {
            Some(configured) => Self::Configured(Box::new(configured)),
            None => Self::Demo(origins),
        }
    }
}

/// Creates the manager as a node of its cluster, and the routes to it.
pub(crate) fn app(
    builder: ManagerBuilder,
    node: ClusterConfig,
    limits: CallLimits,
    transformer: Transformer,
    access_control: AccessControl,
    hosts: Hosts,
    transports: &TransportStatsHandle,
) -> Result<(Cluster, Router), Error> {
    let builder = match &access_control {
        AccessControl::Configured(configured) => builder.access(configured.access.clone()),
        AccessControl::Demo(_) => builder.access(AllowAll),
    };
    let manager = builder
        .build()
        .map_err(|error| Error::Streams(vec![error.to_string()]))?;
    let cluster = Cluster::start(&manager, node);
    let management = Management::new(manager.clone()).cluster(cluster.clone());
    let management = management.limits(limits).transformer(transformer);
    let metrics = |management: &Management| {
        metrics::of(manager.clone(), management.clone(), transports.clone())
    };
    let router = match access_control {
        AccessControl::Configured(configured) => {
            let rates = Arc::clone(&configured.rates);
            let management = management.gate(&configured.calls, &configured.tickets);
            let management = management.limit_bytes({
                let rates = Arc::clone(&rates);
                move |caller, bytes| rates.may_send(caller, bytes)
            });
            let management = management.limit(move |demand| rates.may_ask(demand));
            let metrics = metrics(&management);
            app::configured(manager.clone(), management, metrics, *configured, hosts)
        }
        AccessControl::Demo(origins) => {
            let metrics = metrics(&management);
            app::demo(manager.clone(), management, metrics, origins, hosts)
        }
    };
    Ok((cluster, router))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    try_listen(address).map_err(|source| Error::Listen { address, source })
}

fn try_listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // On other systems than Unix, the option would let two hubs share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns the address at which other machines find the hub, as far as the hub knows it.
fn address(listener: &TcpListener) -> Option<String> {
    let address = listener.local_addr().ok()?;
    if !address.ip().is_unspecified() {
        return Some(address.to_string());
    }
    let system = rustix::system::uname();
    Some(format!(
        "{}:{}",
        system.nodename().to_string_lossy(),
        address.port()
    ))
}

/// Prints the address on which the hub listens.
fn announce(listener: &TcpListener, is_encrypted: bool) {
    let scheme = if is_encrypted { "https" } else { "http" };
    match (listener.local_addr(), Outputs::get()) {
        (Ok(address), Ok(outputs)) => {
            let demo = format!("demo: {scheme}://{}{}", reachable(address), demo_page::PATH);
            outputs
                .out
                .send(format!("listening on {scheme}://{address}\n{demo}\n").as_bytes());
        }
        (Err(error), _) | (_, Err(error)) => warn!(%error, "failed to print the address"),
    }
}

/// Returns an address that a browser on this machine can open.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Collects the files that a `SIGHUP` reads again.
fn reload(configured: Option<&mut Secured>, tls: Option<&ReloadableTls>) -> Arc<Reload> {
    let mut reload = Reload::default();
    if let Some(certificate) = tls.map(|tls| Arc::clone(&tls.certificate)) {
        reload.add("certificate", move || certificate.reload());
    }
    let access = configured.and_then(|it| Some((it.authenticator.clone(), it.reread.take()?)));
    if let Some((authenticator, reread)) = access {
        reload.add("secrets and keys", move || {
            authenticator.exchange(reread.authenticator()?);
            Ok(())
        });
    }
    Arc::new(reload)
}

/// Resolves when the drain must start: the delay after the first signal that ends the hub. The
/// second signal ends the process at once, even if output is still being written.
fn ended(
    mut signals: ProcessSignals,
    reload: Arc<Reload>,
    manager: Manager,
    delay: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let (start_drain, drain_starts) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let first = next_ending(&mut signals, &reload).await;
        // A user who presses Ctrl-C does not want to wait for load balancers.
        let delay = if first == Ending::Interrupt {
            Duration::ZERO
        } else {
            delay
        };
        info!(
            signal = first.as_str(),
            ?delay,
            "received a signal; the drain starts after the delay, and a second signal ends the hub at once"
        );
        manager.announce_shutdown();
        tokio::spawn(async move {
            sleep(delay).await;
            drop(start_drain);
        });
        loop {
            let second = next_ending(&mut signals, &reload).await;
            // The kernel and the shell both send a hangup when a terminal closes.
            if second != Ending::Hangup {
                warn!(
                    signal = second.as_str(),
                    "ended the hub before the drain was complete"
                );
                if let Ok(outputs) = Outputs::get() {
                    outputs.err.flush(FLUSH_TIMEOUT);
                }
                process::exit(second.exit_code());
            }
        }
    });
    async {
        // The sender is dropped without a message, so the receiver resolves with an error.
        let _ = drain_starts.await;
    }
}

/// Returns the next signal that ends the hub. Handles all other signals in the meantime.
async fn next_ending(signals: &mut ProcessSignals, reload: &Arc<Reload>) -> Ending {
    loop {
        match signals.next().await {
            SignalEffect::End(ending) => return ending,
            SignalEffect::Reload => Reload::start(reload),
            SignalEffect::Nothing(name) => info!(signal = name, "ignored a signal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_address_is_reachable() {
        for (bound, announced) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.2:1", "127.0.0.2:1"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), announced);
        }
    }
}
