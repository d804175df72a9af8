//! The latency of deliveries.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

const LONGEST: u64 = 600 * 1_000_000_000;

/// A histogram of nanoseconds, with three significant digits.
#[derive(Debug)]
pub(crate) struct Latency {
    histogram: Histogram<u64>,
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, LONGEST, 3);
        Self {
            histogram: histogram.expect("these bounds are well-formed"),
        }
    }
}

impl Latency {
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.histogram += other.histogram;
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let at = |quantile| microseconds(self.histogram.value_at_quantile(quantile));
        Percentiles {
            p50: at(0.5),
            p99: at(0.99),
            max: microseconds(self.histogram.max()),
        }
    }
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}
