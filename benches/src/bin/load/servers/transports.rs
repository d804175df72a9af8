//! The cost of a stream of the hub over each of the transports.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::sleep;

use crate::driver::client::{Connection, Protocol};
use crate::driver::identity::Identity;
use crate::driver::occurrences::Occurrences;
use crate::driver::payload::{Payload, Stamp};
use crate::driver::process::{Process, allow_streams, allowed_cpus};
use crate::report::figures::median;
use crate::servers::contender::Contender;
use crate::servers::server::{Cpus, Server};

/// The arguments of `load transports`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Binary of the hub.
    #[arg(long, value_name = "PROGRAM")]
    hub: PathBuf,
    /// Streams to open.
    #[arg(long, default_value_t = 2000)]
    streams: usize,
    /// Broadcasts, each after the one before has been delivered.
    #[arg(long, default_value_t = 50)]
    broadcasts: u32,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 64)]
    payload: usize,
    /// Measurements of each, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Timeout for deliveries and responses.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A transport from the hub to its clients.
#[derive(Clone, Copy, Debug)]
struct Transport {
    name: &'static str,
    reactor: bool,
    tls: bool,
    protocol: Protocol,
    streams_per_connection: usize,
}

const TRANSPORTS: [Transport; 7] = {
    let plain = Transport {
        name: "HTTP/1.1, the reactor",
        reactor: true,
        tls: false,
        protocol: Protocol::Http1,
        streams_per_connection: 1,
    };
    let tls = Transport {
        name: "HTTP/1.1 over TLS",
        tls: true,
        ..plain
    };
    let multiplexed = Transport {
        name: "HTTP/2, 100 streams a connection",
        protocol: Protocol::Http2,
        streams_per_connection: 100,
        ..plain
    };
    let single = Transport {
        name: "HTTP/2, one stream a connection",
        streams_per_connection: 1,
        ..multiplexed
    };
    [
        plain,
        Transport {
            name: "HTTP/1.1, `--reactor=no`",
            reactor: false,
            ..plain
        },
        tls,
        multiplexed,
        Transport {
            name: "HTTP/2 over TLS, 100 streams a connection",
            tls: true,
            ..multiplexed
        },
        single,
        Transport {
            name: "HTTP/2 over TLS, one stream a connection",
            tls: true,
            ..single
        },
    ]
};

/// The server's costs in one measurement.
#[derive(Clone, Copy, Debug)]
struct Cost {
    idle_kib: f64,
    after_kib: f64,
    delivery_us: f64,
    connect_us: f64,
}

/// Measures all transports and prints a row for each: medians of the rounds.
///
/// # Errors
///
/// If a measurement fails, or if an event was missing or doubled.
pub(crate) fn transports(options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.streams > 0 && options.broadcasts > 0 && options.rounds > 0,
        "--streams, --broadcasts and --rounds must be at least 1"
    );
    allow_streams(options.streams)?;
    let cpus = cpus()?;
    let mut costs = TRANSPORTS.map(|transport| (transport, Vec::new()));
    for round in 0..options.rounds {
        for (transport, costs) in &mut costs {
            eprintln!(
                "round {} of {}: {}",
                round + 1,
                options.rounds,
                transport.name
            );
            costs.push(
                transport
                    .measure(options, &cpus)
                    .with_context(|| format!("measuring {}", transport.name))?,
            );
        }
    }
    println!(
        "| | memory per idle stream | after traffic | CPU per delivery | CPU per connect |\n|---|---|---|---|---|"
    );
    for (transport, costs) in costs {
        let median = |number: fn(&Cost) -> f64| median(costs.iter().map(number).collect());
        println!(
            "| {} | {:.2} KiB | {:.2} KiB | {:.1} µs | {:.0} µs |",
            transport.name,
            median(|cost| cost.idle_kib),
            median(|cost| cost.after_kib),
            median(|cost| cost.delivery_us),
            median(|cost| cost.connect_us),
        );
    }
    Ok(())
}

/// Returns a processor for the server and another for the load, if there are two.
fn cpus() -> anyhow::Result<Cpus> {
    let all = allowed_cpus()?;
    let (first, last) = all
        .first()
        .zip(all.last())
        .context("no processor is available")?;
    Ok(Cpus {
        server: vec![*first],
        load: vec![*last],
    })
}

impl Transport {
    fn measure(self, options: &Options, cpus: &Cpus) -> anyhow::Result<Cost> {
        let identity = self.tls.then(Identity::new).transpose()?;
        let more: Vec<_> = identity.iter().flat_map(Identity::arguments).collect();
        let [hub, bodies] = Contender::hubs(&options.hub, options.streams, &more);
        let server = Server::start(if self.reactor { &hub } else { &bodies }, cpus)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.load(options, &server, identity.as_ref()))
    }

    async fn load(
        self,
        options: &Options,
        server: &Server,
        identity: Option<&Identity>,
    ) -> anyhow::Result<Cost> {
        let address = server.address().context("the server has no address")?;
        let process = Process::new(server.pid());
        let connect = || Connection::open(address, self.protocol, identity);
        let mut publisher = Publisher::new(connect().await?, Payload::new(options.payload)?);
        publisher.publish().await?;

        let readers = Arc::new(Readers::default());
        let (memory, cpu) = (process.memory()?, process.cpu()?);
        for first in (0..options.streams).step_by(self.streams_per_connection) {
            let mut connection = connect().await?;
            for index in first..options.streams.min(first + self.streams_per_connection) {
                let response = connection
                    .get(&format!("/api/sse?user=load-{index}"))
                    .await?;
                ensure!(
                    response.status().is_success(),
                    "a stream was refused with status {}",
                    response.status()
                );
                tokio::spawn(Arc::clone(&readers).read(response.into_body()));
            }
        }
        sleep(Duration::from_millis(500)).await;
        let connect_us = (process.cpu()? - cpu).as_secs_f64() * 1e6 / options.streams as f64;
        let idle = process.memory()?;

        // An uncounted broadcast, since the first delivery of a stream may cost more than others.
        let each = options.streams as u64;
        publisher.publish().await?;
        readers.wait_for(each).await?;
        let cpu = process.cpu()?;
        for number in 1..=u64::from(options.broadcasts) {
            publisher.publish().await?;
            readers.wait_for(each * (number + 1)).await?;
        }
        let used = process.cpu()? - cpu;
        sleep(Duration::from_millis(500)).await;
        let after = process.memory()?;
        readers.check(each * (u64::from(options.broadcasts) + 1))?;

        let kib = |now: u64| (now as f64 - memory as f64) / 1024.0 / options.streams as f64;
        Ok(Cost {
            idle_kib: kib(idle),
            after_kib: kib(after),
            delivery_us: used.as_secs_f64() * 1e6 / (each * u64::from(options.broadcasts)) as f64,
            connect_us,
        })
    }
}

struct Publisher {
    connection: Connection,
    payload: Payload,
    published: u32,
}

impl Publisher {
    fn new(connection: Connection, payload: Payload) -> Self {
        Self {
            connection,
            payload,
            published: 0,
        }
    }

    /// Publishes to all streams.
    async fn publish(&mut self) -> anyhow::Result<()> {
        let data = self.payload.encode(Stamp {
            sequence: self.published,
            sent: 0,
        });
        self.published += 1;
        let json = format!(r#"{{"target":"all","event":"tick","data":{data}}}"#);
        let response = self.connection.post("/api/trpc/sse.publish", json).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "a publish received status {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }
}

/// The totals that all streams together have read.
#[derive(Debug, Default)]
struct Readers {
    events: AtomicU64,
    ended: AtomicUsize,
}

impl Readers {
    async fn read(self: Arc<Self>, mut body: Incoming) {
        let mut occurrences = Occurrences::of("event: tick\n");
        while let Some(Ok(frame)) = body.frame().await {
            let count = frame.data_ref().map_or(0, |data| occurrences.count(data));
            self.events.fetch_add(count, Ordering::Relaxed);
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    async fn wait_for(&self, events: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while self.events.load(Ordering::Relaxed) < events && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        self.check(events)
    }

    fn check(&self, expected: u64) -> anyhow::Result<()> {
        let (events, ended) = (
            self.events.load(Ordering::Relaxed),
            self.ended.load(Ordering::Relaxed),
        );
        ensure!(ended == 0, "{ended} streams ended");
        ensure!(
            events == expected,
            "{events} events arrived instead of {expected}"
        );
        Ok(())
    }
}
