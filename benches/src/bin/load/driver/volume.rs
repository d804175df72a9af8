//! The amount of work in a run.

use std::time::Duration;

use anyhow::{Context, ensure};

/// The amount of work. Every number bounds the run, so it always ends.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Volume {
    /// Streams to open.
    #[arg(long, default_value_t = 1000)]
    pub(crate) streams: usize,
    /// Seconds without work at the end, to measure the cost of heartbeats alone.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) idle: f64,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 64)]
    pub(crate) payload: usize,
    /// Seconds of paced publishing.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Milliseconds between paced publishes [default: 0.04 for each stream, at least 5, so that a
    /// server that needs 10 µs for a delivery is busy for a quarter of the time].
    #[arg(long)]
    pub(crate) interval: Option<f64>,
    /// Publishes in a burst; a server with bounded queues must have room for them.
    #[arg(long, default_value_t = 100)]
    pub(crate) burst: u32,
    /// Number of bursts. A burst starts after the previous burst was delivered.
    #[arg(long, default_value_t = 5)]
    pub(crate) bursts: u32,
    /// Maximum number of publishes of a burst in flight to the server.
    #[arg(long, default_value_t = 16)]
    pub(crate) window: u32,
    /// Microseconds for which the receiver sleeps after each check of its sockets. Without this
    /// pause, every `send` of the server would wake the receiver, and the wake would count as work
    /// of the server. A server with remote clients never does this work. Latencies are too long by
    /// up to this value; 0 measures the latencies of few streams exactly.
    #[arg(long, default_value_t = 500)]
    pub(crate) nap: u64,
    /// Seconds without a delivery after which outstanding ones count as missing.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) timeout: f64,
}

impl Volume {
    /// Returns the time between paced publishes.
    pub(crate) fn interval(&self) -> anyhow::Result<Duration> {
        let milliseconds = self
            .interval
            .unwrap_or((self.streams as f64 * 0.04).max(5.0));
        let interval = Duration::try_from_secs_f64(milliseconds / 1000.0).context("--interval")?;
        ensure!(!interval.is_zero(), "--interval must be greater than zero");
        Ok(interval)
    }

    /// Returns the number of paced publishes.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from f64 saturates")]
    pub(crate) fn paced(&self) -> anyhow::Result<u32> {
        Ok((self.seconds / self.interval()?.as_secs_f64())
            .ceil()
            .max(1.0) as u32)
    }

    /// Returns the timeout for deliveries that are due.
    pub(crate) fn timeout(&self) -> anyhow::Result<Duration> {
        Duration::try_from_secs_f64(self.timeout).context("--timeout")
    }
}
