//! The raw numbers of a phase, from which the reported ones are derived.

use std::time::Duration;

use crate::driver::latency::Latency;
use crate::driver::process::Process;
use crate::report::Phase;

/// Processor time of the server, if its process is known, and of this program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    server: Option<Duration>,
    load: Duration,
}

impl Usage {
    pub(crate) fn now(server: Option<Process>) -> anyhow::Result<Self> {
        Ok(Self {
            server: server.map(Process::cpu).transpose()?,
            load: Process::this().cpu()?,
        })
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        let server = self
            .server
            .zip(earlier.server)
            .map(|(now, then)| now.saturating_sub(then));
        Self {
            server,
            load: self.load.saturating_sub(earlier.load),
        }
    }

    pub(crate) fn server_seconds(self) -> Option<f64> {
        self.server.map(|time| time.as_secs_f64())
    }

    fn plus(self, other: Self) -> Self {
        let server = self.server.zip(other.server).map(|(one, two)| one + two);
        Self {
            server,
            load: self.load + other.load,
        }
    }
}

/// The counts from one publish to the last delivery.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) publishes: u32,
    pub(crate) deliveries: u64,
    pub(crate) seconds: f64,
    pub(crate) usage: Usage,
    pub(crate) latency: Latency,
    pub(crate) longest_stall: Duration,
}

impl Sample {
    /// Adds another sample that followed this one.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.latency.merge(other.latency);
        Self {
            publishes: self.publishes + other.publishes,
            deliveries: self.deliveries + other.deliveries,
            seconds: self.seconds + other.seconds,
            usage: self.usage.plus(other.usage),
            latency: self.latency,
            longest_stall: self.longest_stall.max(other.longest_stall),
        }
    }

    pub(crate) fn into_phase(self) -> Phase {
        let server = self.usage.server.map(|time| time.as_secs_f64());
        let deliveries = self.deliveries as f64;
        Phase {
            publishes: self.publishes,
            seconds: self.seconds,
            deliveries: self.deliveries,
            deliveries_per_second: ratio(deliveries, self.seconds),
            cpu_us_per_delivery: server.map(|seconds| ratio(seconds * 1e6, deliveries)),
            server_cpu: server.map(|seconds| ratio(seconds, self.seconds)),
            load_cpu: ratio(self.usage.load.as_secs_f64(), self.seconds),
            longest_stall_ms: self.longest_stall.as_secs_f64() * 1000.0,
            latency_us: self.latency.percentiles(),
        }
    }
}

/// Returns a quotient that stays a JSON number when nothing was counted.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
