//! The report of a run, as it is printed, and the output derived from reports.

pub(crate) mod chart;
pub(crate) mod figures;
pub(crate) mod growth;
pub(crate) mod machine;
pub(crate) mod plot;
pub(crate) mod ratios;
pub(crate) mod results;
pub(crate) mod size;
pub(crate) mod summary;
pub(crate) mod table;

use serde::{Deserialize, Serialize};

use crate::driver::latency::Percentiles;
use crate::driver::tracker::Faults;

/// The JSON object that `load run` prints. A value is `null` if it needs `--pid` and the run had
/// none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) streams: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) connect_seconds: f64,
    /// User and system time of the server for the start of a stream.
    #[serde(default)]
    pub(crate) connect_cpu_us: Option<f64>,
    /// Share of one processor that the server used while nothing was published; only with `--idle`.
    #[serde(default)]
    pub(crate) idle_cpu: Option<f64>,
    /// User memory of the server.
    pub(crate) memory: Option<Memory>,
    pub(crate) paced: Phase,
    pub(crate) burst: Phase,
    #[serde(flatten)]
    pub(crate) faults: Faults,
    /// `true` if every stream received every publish once and in order.
    pub(crate) ok: bool,
}

/// Private anonymous memory of the server, in bytes: the amount before the first stream, and the
/// growth per stream.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) before: u64,
    pub(crate) per_idle_stream: f64,
    pub(crate) per_stream_after_traffic: f64,
}

/// One phase of publishing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) publishes: u32,
    /// Time from the first publish to the last delivery.
    pub(crate) seconds: f64,
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_second: f64,
    /// User and system time of the server.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// Share of one processor that the server used.
    pub(crate) server_cpu: Option<f64>,
    /// Share of one processor that this program used; near 1, the program was the bottleneck.
    pub(crate) load_cpu: f64,
    /// Longest time without a delivery while deliveries were due that did arrive later.
    pub(crate) longest_stall_ms: f64,
    /// Time from the send of a publish to the read of the event.
    pub(crate) latency_us: Percentiles,
}
