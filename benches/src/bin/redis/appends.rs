//! The number of appends a second.

use std::{
    fmt,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use sse_core::{
    Retention,
    backplane::{Backplane, NewEntry},
};
use sse_redis::{RedisBackplane, RedisConfig};
use tokio::task::JoinSet;

use crate::{Cli, server::RedisServer};

/// Number of entries that the log keeps, in both columns.
const KEPT: usize = 100_000;

/// One line of the table.
pub(crate) struct Comparison {
    depth: usize,
    theirs: f64,
    ours: f64,
    ratio: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            depth,
            theirs,
            ours,
            ratio,
        } = self;
        write!(f, "| {depth} | {theirs:.0} | {ours:.0} | {ratio:.2} |")
    }
}

/// Measures both columns in turns, so that a disturbance of the machine affects both.
pub(crate) async fn compare(
    server: &RedisServer,
    cli: &Cli,
    depth: usize,
) -> anyhow::Result<Comparison> {
    let retention = Retention::default().entries(KEPT).bytes(1 << 40);
    let node = server
        .node(RedisConfig::default().pipeline(depth).retention(retention))
        .await?;
    make_stream(server).await?;
    // The number of requests is chosen so that a round lasts about the target time.
    let mut requests = 20_000;
    let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=cli.rounds {
        let rate = benchmark(server, cli, depth, requests).await?;
        let own = appends(&node, cli, depth).await?;
        // The first round warms up.
        if round > 0 {
            theirs.push(rate);
            ours.push(own);
            ratios.push(own / rate);
        }
        requests = whole(rate * cli.seconds).max(1_000);
    }
    Ok(Comparison {
        depth,
        theirs: median(theirs),
        ours: median(ours),
        ratio: median(ratios),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a number of requests")]
fn whole(number: f64) -> u64 {
    number as u64
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Stream of `redis-benchmark`, with a name as long as that of the log.
const STREAM: &str = "{bench}:l";

/// Creates [`STREAM`]. The benchmark's commands must equal the node's byte by byte, and the node's
/// commands do not create a stream (`NOMKSTREAM`).
async fn make_stream(server: &RedisServer) -> anyhow::Result<()> {
    let mut command = Command::new("redis-cli");
    command.args([
        "-p",
        &server.port.to_string(),
        "XADD",
        STREAM,
        "MAXLEN",
        "~",
        &KEPT.to_string(),
        "*",
        "p",
        "",
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await?;
    if !status.context("failed to start redis-cli")?.success() {
        bail!("redis-cli failed to create the stream");
    }
    Ok(())
}

/// Returns the rate of `redis-benchmark` on one connection.
async fn benchmark(
    server: &RedisServer,
    cli: &Cli,
    depth: usize,
    requests: u64,
) -> anyhow::Result<f64> {
    let mut command = Command::new("redis-benchmark");
    command.args([
        "-p",
        &server.port.to_string(),
        "-c",
        "1",
        "-P",
        &depth.to_string(),
        "-n",
        &requests.to_string(),
    ]);
    // The same command, and a key and payloads of the same length.
    command.args([
        "--csv",
        "XADD",
        STREAM,
        "NOMKSTREAM",
        "MAXLEN",
        "~",
        &KEPT.to_string(),
        "*",
        "p",
        &"x".repeat(cli.payload),
    ]);
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    let output = output.context("failed to start redis-benchmark")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `"test","rps",…`, then a line with the numbers.
    let numbers = text.lines().find(|line| line.starts_with("\"XADD"));
    let rate = numbers.and_then(|line| line.rsplit("\",\"").nth(6)?.parse().ok());
    let Some(rate) = rate else {
        bail!("redis-benchmark printed no rate: {text:?}")
    };
    Ok(rate)
}

/// Returns the rate of a node, with `depth` tasks that append one entry after the other.
async fn appends(node: &RedisBackplane, cli: &Cli, depth: usize) -> anyhow::Result<f64> {
    let end = Instant::now() + Duration::from_secs_f64(cli.seconds);
    let (count, payload) = (
        Arc::new(AtomicU64::new(0)),
        Bytes::from(vec![b'x'; cli.payload]),
    );
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for _ in 0..depth {
        let (node, count, payload) = (node.clone(), Arc::clone(&count), payload.clone());
        tasks.spawn(async move {
            let mut own = 0;
            while own % 16 != 0 || Instant::now() < end {
                node.append(NewEntry {
                    payload: payload.clone(),
                    key: None,
                })
                .await?;
                own += 1;
            }
            count.fetch_add(own, Ordering::Relaxed);
            Ok::<_, sse_core::backplane::BackplaneError>(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    let count = count.load(Ordering::Relaxed) as f64;
    Ok(count / start.elapsed().as_secs_f64())
}
