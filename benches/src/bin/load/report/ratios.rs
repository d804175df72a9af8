//! The ratios of one server to another.

use serde::Serialize;

use crate::report::Report;
use crate::report::figures::{burst_per_cpu, burst_rate, idle_kib, paced_cpu};

/// A server's costs and rates as multiples of those of another server. Each round is compared with
/// the other server's round of the same number.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratios {
    /// Name of the other server.
    pub(crate) to: String,
    /// Ratios of the CPU per delivery, when paced.
    pub(crate) paced_cpu: Vec<f64>,
    /// Ratios of the deliveries per second of a burst.
    pub(crate) burst: Vec<f64>,
    /// Ratios of the deliveries per second of CPU in a burst.
    pub(crate) burst_per_cpu: Vec<f64>,
    /// Ratios of the memory of an idle stream.
    pub(crate) memory: Vec<f64>,
}

impl Ratios {
    pub(crate) fn between(rounds: &[Report], to: &str, others: &[Report]) -> Self {
        let of = |number: fn(&Report) -> f64| {
            rounds
                .iter()
                .zip(others)
                .map(|(report, other)| number(report) / number(other))
                .collect()
        };
        Self {
            to: to.to_owned(),
            paced_cpu: of(paced_cpu),
            burst: of(burst_rate),
            burst_per_cpu: of(burst_per_cpu),
            memory: of(idle_kib),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::report;

    #[test]
    fn ratios_divide_numbers_of_the_same_round() {
        let rounds = [report(8.0, 300.0, 1024.0), report(5.0, 100.0, 512.0)];
        let others = [report(10.0, 100.0, 2048.0), report(20.0, 200.0, 512.0)];
        let ratios = Ratios::between(&rounds, "other", &others);
        assert_eq!(ratios.to, "other");
        assert_eq!(ratios.paced_cpu, [0.8, 0.25]);
        assert_eq!(ratios.burst, [3.0, 0.5]);
        assert_eq!(ratios.burst_per_cpu, [1.25, 4.0]);
        assert_eq!(ratios.memory, [0.5, 1.0]);
    }
}
