//! One measurement of one server: open the streams, publish at a pace, publish in bursts, count.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};

use crate::driver::clock::{Clock, seconds_between};
use crate::driver::latency::Latency;
use crate::driver::payload::Payload;
use crate::driver::process::{Process, allow_streams};
use crate::driver::publisher::Publisher;
use crate::driver::receiver::Receiver;
use crate::driver::sample::{Sample, Usage};
use crate::driver::target::{Layout, Target};
use crate::driver::volume::Volume;
use crate::driver::watch::Watch;
use crate::report::{Memory, Report};

/// The arguments of `load run`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// URL of the streams; `{i}` in it becomes the stream's number. Without a path: the one of the
    /// target's kind.
    #[arg(long)]
    pub(crate) url: String,
    /// The layout of the server.
    #[arg(long, value_enum, default_value_t = Layout::Hub)]
    pub(crate) target: Layout,
    /// URL to publish to, if it is not the usual one of the target.
    #[arg(long)]
    pub(crate) publish_url: Option<String>,
    /// A further field for every request, `Name: value`; may be given again.
    #[arg(long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The server's process, for its CPU time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    #[command(flatten)]
    pub(crate) volume: Volume,
}

/// Measures, and returns the report even if the server failed to deliver.
///
/// # Errors
///
/// If there is nothing to report: the server refuses streams or publishes, or is unavailable.
pub(crate) fn run(options: &Options) -> anyhow::Result<Report> {
    let volume = &options.volume;
    ensure!(volume.streams > 0, "--streams must be at least 1");
    allow_streams(volume.streams)?;
    let mut run = Run::start(options)?;
    let before = Usage::now(run.server)?;
    let connect_seconds = run.open()?;
    let connect_cpu_us = run
        .server_seconds(before)?
        .map(|seconds| seconds * 1e6 / volume.streams as f64);
    let idle = run.server_memory()?;
    run.warm_up()?;
    let (paced, interval) = (volume.paced()?, volume.interval()?);
    let paced = run.phase(|publisher| publisher.pace(paced, interval))?;
    let burst = run.bursts()?;
    run.settle()?;
    let after = run.server_memory()?;
    // At the end, since the server may close the publisher's connection, which is idle meanwhile.
    let idle_cpu = run.idle()?;
    let faults = run.receiver.faults(run.publisher.published());
    Ok(Report {
        url: options.url.clone(),
        streams: volume.streams,
        payload_bytes: run.payload.size(),
        connect_seconds,
        connect_cpu_us,
        idle_cpu,
        memory: memory(run.memory_before, idle, after, volume.streams),
        paced: paced.into_phase(),
        burst: burst.into_phase(),
        faults,
        ok: faults.none(),
    })
}

/// The state of a measurement.
struct Run {
    clock: Clock,
    payload: Payload,
    target: Target,
    volume: Volume,
    server: Option<Process>,
    memory_before: Option<u64>,
    receiver: Receiver,
    publisher: Publisher,
}

impl Run {
    fn start(options: &Options) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let volume = options.volume.clone();
        let payload = Payload::new(volume.payload)?;
        let target = Target::new(
            options.target,
            &options.url,
            options.publish_url.as_deref(),
            &options.headers,
        )?;
        let publisher = Publisher::connect(&target, clock, payload)?;
        let server = options.pid.map(Process::new);
        let memory_before = server.map(Process::memory).transpose()?;
        let receiver = Receiver::new(clock, payload, Duration::from_micros(volume.nap))?;
        Ok(Self {
            clock,
            payload,
            target,
            volume,
            server,
            memory_before,
            receiver,
            publisher,
        })
    }

    fn open(&mut self) -> anyhow::Result<f64> {
        let start = Instant::now();
        self.receiver
            .open(&self.target, self.volume.streams, Duration::from_secs(120))?;
        let seconds = start.elapsed().as_secs_f64();
        self.settle()?;
        Ok(seconds)
    }

    /// Does nothing for a while, and returns the share of a processor that the server used
    /// meanwhile.
    fn idle(&mut self) -> anyhow::Result<Option<f64>> {
        if self.volume.idle <= 0.0 {
            return Ok(None);
        }
        let (start, before) = (Instant::now(), Usage::now(self.server)?);
        let time = Duration::try_from_secs_f64(self.volume.idle).context("--idle")?;
        while start.elapsed() < time {
            self.receiver
                .settle(Duration::from_millis(500), &mut Latency::default())?;
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(self.server_seconds(before)?.map(|used| used / seconds))
    }

    /// Returns the processor time of the server since `before`.
    fn server_seconds(&self, before: Usage) -> anyhow::Result<Option<f64>> {
        Ok(Usage::now(self.server)?.since(before).server_seconds())
    }

    /// Lets first events and late doubles arrive.
    fn settle(&mut self) -> anyhow::Result<()> {
        self.receiver
            .settle(Duration::from_millis(500), &mut Latency::default())
    }

    /// Sends a few publishes that are checked but not measured.
    fn warm_up(&mut self) -> anyhow::Result<()> {
        let interval = self.volume.interval()?;
        self.phase(|publisher| publisher.pace(3, interval))
            .map(drop)
    }

    fn bursts(&mut self) -> anyhow::Result<Sample> {
        let Volume {
            burst,
            bursts,
            window,
            ..
        } = self.volume;
        let mut total = self.phase(|publisher| publisher.burst(burst, window))?;
        for _ in 1..bursts {
            total = total.plus(self.phase(|publisher| publisher.burst(burst, window))?);
        }
        Ok(total)
    }

    fn server_memory(&self) -> anyhow::Result<Option<u64>> {
        self.server.map(Process::memory).transpose()
    }

    /// Publishes in a separate thread while this thread receives, until everything is delivered or
    /// nothing more arrives.
    fn phase(
        &mut self,
        publish: impl FnOnce(&mut Publisher) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<Sample> {
        let timeout = self.volume.timeout()?;
        let Self {
            receiver,
            publisher,
            clock,
            server,
            ..
        } = self;
        let (deliveries_before, published_before) = (receiver.deliveries(), publisher.published());
        let usage_before = Usage::now(*server)?;
        let start = clock.now();
        let mut watch = Watch::new(receiver, publisher.counter());
        thread::scope(|scope| -> anyhow::Result<()> {
            let sender = scope.spawn(|| publish(publisher));
            while !sender.is_finished() {
                watch.pump(receiver)?;
            }
            sender
                .join()
                .map_err(|_| anyhow!("the publishing thread panicked"))?
        })?;
        watch.drain(receiver, timeout)?;
        Ok(Sample {
            publishes: publisher.published() - published_before,
            deliveries: receiver.deliveries() - deliveries_before,
            seconds: seconds_between(start, receiver.last_delivery()),
            usage: Usage::now(*server)?.since(usage_before),
            latency: watch.latency,
            longest_stall: watch.stall.longest(),
        })
    }
}

fn memory(
    before: Option<u64>,
    idle: Option<u64>,
    after: Option<u64>,
    streams: usize,
) -> Option<Memory> {
    let before = before?;
    let growth = |now: u64| (now as f64 - before as f64) / streams as f64;
    Some(Memory {
        before,
        per_idle_stream: growth(idle?),
        per_stream_after_traffic: growth(after?),
    })
}

#[cfg(test)]
mod tests;
