//! The cost of the event log on NATS, compared with NATS itself in the same run.
//!
//! Starts a separate `nats-server`, in its own directory. In each round a bare loop of the same
//! driver publishes with acknowledgements into a stream, then a backplane appends as many entries
//! of the same size, with the same concurrency. Then one node appends at a pace and another node
//! follows. Prints a table; exits with 1 if an entry is missing or out of order.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sse_core::{
    Retention,
    backplane::{Backplane, Cursor, NewEntry, Tail},
};
use sse_nats::{NatsBackplane, NatsConfig};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::sleep};

/// Measures the event log on NATS, and NATS alone in the same run.
#[derive(Debug, Parser)]
#[command(name = "nats", version)]
struct Cli {
    /// The server's executable.
    #[arg(long, default_value = "nats-server")]
    server: PathBuf,
    /// Entries in each round.
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// Bytes of an entry.
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Appends at once.
    #[arg(long, default_value_t = 256)]
    depth: usize,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Entries a second while latency is measured.
    #[arg(long, default_value_t = 1000)]
    pace: u32,
    /// Seconds for which latency is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// A server that is killed when this is dropped.
struct Server {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl Server {
    async fn start(executable: &Path) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(executable);
        command
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(directory.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command
            .spawn()
            .with_context(|| format!("failed to start {}", executable.display()))?;
        let server = Self {
            process,
            url: format!("nats://127.0.0.1:{port}"),
            _directory: directory,
        };
        for _ in 0..200 {
            if server.client().await.is_ok() {
                return Ok(server);
            }
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the NATS server does not reply");
    }

    async fn client(&self) -> anyhow::Result<Client> {
        Ok(ConnectOptions::new().connect(&self.url).await?)
    }

    async fn node(&self) -> anyhow::Result<NatsBackplane> {
        let retention = Retention::default().entries(10_000_000).bytes(8 << 30);
        Ok(NatsBackplane::connect(&self.url, NatsConfig::default().retention(retention)).await?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Runs `act` repeatedly and concurrently, and returns the number of runs a second.
async fn rate<F>(cli: &Cli, act: impl Fn() -> F) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    let act = Arc::new(act);
    for task in 0..cli.depth {
        let count = cli.entries / cli.depth + usize::from(task < cli.entries % cli.depth);
        let futures: Vec<_> = (0..count).map(|_| act()).collect();
        tasks.spawn(async move {
            for future in futures {
                future.await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
    let entries = cli.entries as f64;
    Ok(entries / begin.elapsed().as_secs_f64())
}

async fn floor(cli: &Cli, client: &Client, payload: &Bytes) -> anyhow::Result<f64> {
    let act = || {
        let (client, payload) = (client.clone(), payload.clone());
        async move {
            let answer = client.request("floor.log", payload).await?;
            let answer: Value = serde_json::from_slice(&answer.payload)?;
            ensure!(
                answer["seq"].is_u64(),
                "the append was not acknowledged: {answer}"
            );
            Ok(())
        }
    };
    rate(cli, act).await
}

async fn appends(cli: &Cli, node: &NatsBackplane, payload: &Bytes) -> anyhow::Result<f64> {
    let act = || {
        let (node, payload) = (node.clone(), payload.clone());
        async move {
            node.append(NewEntry { payload, key: None }).await?;
            Ok(())
        }
    };
    rate(cli, act).await
}

/// Appends at a pace on one node, and measures when another node has each entry.
async fn latency(cli: &Cli, server: &Server) -> anyhow::Result<Histogram<u64>> {
    let (writer, reader) = (server.node().await?, server.node().await?);
    let bounds = reader.bounds().await?;
    let mut tail = reader.tail(&Cursor::new(bounds.epoch, bounds.head)).await?;
    let begin = Instant::now();
    let count = cli.pace * cli.seconds;
    let (pace, payload) = (cli.pace, cli.payload);
    let writing = tokio::spawn(async move {
        let mut appends = JoinSet::new();
        for number in 0..count {
            let due = Duration::from_secs(1) * number / pace;
            sleep(due.saturating_sub(begin.elapsed())).await;
            let mut text = format!("{number} {} ", begin.elapsed().as_micros()).into_bytes();
            text.resize(text.len().max(payload), b'.');
            let writer = writer.clone();
            appends.spawn(async move {
                writer
                    .append(NewEntry {
                        payload: text.into(),
                        key: None,
                    })
                    .await
            });
        }
        while let Some(appended) = appends.join_next().await {
            appended??;
        }
        anyhow::Ok(())
    });
    let latencies = follow(&mut tail, begin, count).await?;
    writing.await??;
    Ok(latencies)
}

async fn follow(
    tail: &mut Box<dyn Tail>,
    begin: Instant,
    count: u32,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    let mut came = vec![false; count as usize];
    while latencies.len() < u64::from(count) {
        for entry in tail.next().await?.entries {
            let now = u64::try_from(begin.elapsed().as_micros())?;
            let text = String::from_utf8_lossy(&entry.payload).into_owned();
            let mut words = text.split(' ');
            let mut number = || -> anyhow::Result<u64> {
                Ok(words.next().context("the entry has no number")?.parse()?)
            };
            let (number, sent) = (usize::try_from(number()?)?, number()?);
            ensure!(
                !std::mem::replace(&mut came[number], true),
                "entry {number} arrived twice"
            );
            latencies.record(now.saturating_sub(sent))?;
        }
    }
    Ok(latencies)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    ensure!(
        cli.depth > 0 && cli.rounds > 0 && cli.pace > 0 && cli.seconds > 0,
        "--depth, --rounds, --pace and --seconds must be at least 1"
    );
    let server = Server::start(&cli.server).await?;
    let client = server.client().await?;
    println!(
        "nats-server {}, {} bytes, {} at once",
        client.server_info().version,
        cli.payload,
        cli.depth
    );
    let config = json!({ "name": "floor", "subjects": ["floor.log"], "storage": "file" });
    client
        .request("$JS.API.STREAM.CREATE.floor", config.to_string().into())
        .await?;
    let node = server.node().await?;
    let payload = Bytes::from(vec![b'.'; cli.payload]);
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for round in 0..cli.rounds {
        floors.push(floor(cli, &client, &payload).await?);
        ours.push(appends(cli, &node, &payload).await?);
        println!(
            "round {}: bare {:.0}/s, appends {:.0}/s",
            round + 1,
            floors[round],
            ours[round]
        );
    }
    let ratio = median(
        ours.iter()
            .zip(&floors)
            .map(|(ours, floor)| ours / floor)
            .collect(),
    );
    let (floor, ours) = (median(floors), median(ours));
    println!("median: bare {floor:.0}/s, appends {ours:.0}/s, ratio {ratio:.2}");
    let latencies = latency(cli, &server).await?;
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|quantile| latencies.value_at_quantile(quantile));
    println!(
        "node to node at {}/s: p50 {p50} µs, p99 {p99} µs, max {most} µs",
        cli.pace
    );
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(&Cli::parse()).await
}
