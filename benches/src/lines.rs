//! Results outside of criterion: lines of `name: value unit`.

use std::{fmt::Display, time::Duration};

/// Prints a result.
#[expect(clippy::print_stdout, reason = "results of a bench")]
pub fn line(name: &str, value: impl Display, unit: &str) {
    println!("{name}: {value} {unit}");
}

/// Values of a quantity that was measured several times.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds a duration, as nanoseconds.
    pub fn push_nanos(&mut self, duration: Duration) {
        self.push(duration.as_secs_f64() * 1e9);
    }

    /// Returns the value below which `percent` percent of the values are; NaN without values.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((sorted.len() * percent / 100).min(last))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// Returns the median; NaN without values.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// Returns the largest value; NaN without values.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.percentile(100)
    }
}
