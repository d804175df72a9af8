//! Measures `sse-redis` against a Redis that it starts: `redis`, or `redis --help`.
//!
//! - Appends a second through a node, compared with `redis-benchmark` with the same command, bytes
//!   and depth of pipeline, in turns.
//! - Latency of an entry from the append on one node to the tail of another.
//! - Clients that all reconnect at once and need events that the node no longer holds: to a manager
//!   in this process, and over sockets to a hub.
//!
//! The server has one processor, and its client another one: `redis-benchmark`, or this program
//! with all its threads.
//!
//! The program exits with 2 if there is nothing to report: no Redis, or a Redis that fails.

mod appends;
mod latency;
mod processors;
mod resume;
mod server;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Measures sse-redis against a Redis that it starts.
#[derive(Debug, Parser)]
#[command(name = "redis", version)]
struct Cli {
    /// Bytes of a payload.
    #[arg(long, default_value_t = 200)]
    payload: usize,
    /// Depths of the pipeline: appends in flight at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    depths: Vec<usize>,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a round, about.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Appends a second while latency is measured.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000")]
    rates: Vec<u32>,
    /// Clients that resume at once; 0 skips this measurement.
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// The hub to which clients resume over sockets. Without it, this measurement is skipped.
    #[arg(long)]
    hub: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let [for_server, for_clients] = processors::two()?;
    // Everything that is started later stays on the processor as well.
    processors::pin(for_server)?;
    let server = server::RedisServer::start()?;
    let hub = cli.hub.as_ref().filter(|_| cli.clients > 0);
    let hub = hub
        .map(|hub| resume::Hub::start(hub, &server, cli.clients))
        .transpose()?;
    processors::pin(for_clients)?;
    // One processor, so one thread for tasks.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        server.ready().await?;
        appends_and_latency(&server, cli).await?;
        if cli.clients > 0 {
            println!("\n| resumed through | clients | time until all are complete | memory before / peak / after | reads | from Redis |");
            println!("|---|---|---|---|---|---|");
            println!("{}", resume::in_process(&server, cli.clients).await?);
        }
        if let Some(hub) = &hub {
            println!("{}", resume::to_hub(&server, hub, cli.clients).await?);
        }
        Ok(())
    })
}

async fn appends_and_latency(server: &server::RedisServer, cli: &Cli) -> anyhow::Result<()> {
    println!(
        "Payloads of {} bytes, median of {} rounds.\n",
        cli.payload, cli.rounds
    );
    println!(
        "| depth | redis-benchmark, appends/s | sse-redis, appends/s | ratio, median of rounds |\n|---|---|---|---|"
    );
    for &depth in &cli.depths {
        println!("{}", appends::compare(server, cli, depth).await?);
    }
    println!("\n| appends/s | node to node p50 | p99 | max |\n|---|---|---|---|");
    for &rate in &cli.rates {
        println!("{}", latency::measure(server, cli, rate).await?);
    }
    Ok(())
}
