//! The latency from the append on one node to the tail of another.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use sse_core::backplane::{Backplane, BackplaneError, NewEntry, Tail};
use sse_redis::{RedisBackplane, RedisConfig};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{Cli, server::RedisServer};

/// One line of the table.
pub(crate) struct Latency {
    rate: u32,
    /// Histogram of latencies in microseconds.
    histogram: Histogram<u64>,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |quantile| Duration::from_micros(self.histogram.value_at_quantile(quantile));
        write!(
            f,
            "| {} | {:.1?} | {:.1?} | {:.1?} |",
            self.rate,
            at(0.5),
            at(0.99),
            at(1.0)
        )
    }
}

/// Interval in which entries are appended together, if the rate requires it.
const TICK: Duration = Duration::from_millis(5);

pub(crate) async fn measure(server: &RedisServer, cli: &Cli, rate: u32) -> anyhow::Result<Latency> {
    let writer = server.node(RedisConfig::default()).await?;
    let reader = server.node(RedisConfig::default()).await?;
    let tail = reader.tail(&reader.rewind(0).await?).await?;
    let start = Instant::now();
    let total = u64::from(rate) * u64::from(SECONDS);
    let follower = tokio::spawn(follow(tail, start, total));
    write(&writer, start, cli.payload, rate, total).await?;
    Ok(Latency {
        rate,
        histogram: follower.await??,
    })
}

const SECONDS: u32 = 5;

/// Appends entries that contain the time of their append.
async fn write(
    node: &RedisBackplane,
    start: Instant,
    payload: usize,
    rate: u32,
    total: u64,
) -> Result<(), BackplaneError> {
    let pause = Duration::from_secs(1) / rate;
    let mut clock = interval(pause.max(TICK));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut appends = JoinSet::new();
    let mut written = 0;
    while written < total {
        clock.tick().await;
        let due = (start.elapsed().as_nanos() / pause.as_nanos()).min(u128::from(total));
        while u128::from(written) < due {
            let mut bytes = vec![b'x'; payload.max(16)];
            bytes[..16].copy_from_slice(&start.elapsed().as_nanos().to_be_bytes());
            let (node, entry) = (
                node.clone(),
                NewEntry {
                    payload: Bytes::from(bytes),
                    key: None,
                },
            );
            appends.spawn(async move { node.append(entry).await });
            written += 1;
        }
        while let Some(Ok(result)) = appends.try_join_next() {
            result?;
        }
    }
    while let Some(Ok(result)) = appends.join_next().await {
        result?;
    }
    Ok(())
}

async fn follow(
    mut tail: Box<dyn Tail>,
    start: Instant,
    total: u64,
) -> anyhow::Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    while histogram.len() < total {
        for entry in tail.next().await?.entries {
            let sent = entry
                .payload
                .first_chunk()
                .map_or(0, |bytes| u128::from_be_bytes(*bytes));
            let late = start.elapsed().as_nanos().saturating_sub(sent) / 1_000;
            histogram.record(u64::try_from(late)?)?;
        }
    }
    Ok(histogram)
}
