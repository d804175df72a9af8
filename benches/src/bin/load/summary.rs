//! The rounds of one server, put together.

use serde::Serialize;

use crate::report::Report;
use crate::tracker::Faults;

/// The reports of one server, and beside each what the floor needed in the same round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    /// CPU per delivery when paced, as a multiple of the floor's in the same round.
    pub(crate) ratios: Vec<f64>,
    pub(crate) rounds: Vec<Report>,
}

impl Summary {
    /// Summaries of servers of which the first is the floor.
    pub(crate) fn all(servers: Vec<(String, Vec<Report>)>) -> Vec<Self> {
        let floor: Vec<f64> =
            servers.first().map(|(_, rounds)| rounds.iter().map(paced_cpu).collect()).unwrap_or_default();
        let summary = |(name, rounds): (String, Vec<Report>)| {
            let ratios = rounds.iter().zip(&floor).map(|(report, floor)| paced_cpu(report) / floor).collect();
            Self { name, ratios, rounds }
        };
        servers.into_iter().map(summary).collect()
    }

    /// A number of each round.
    pub(crate) fn each(&self, number: impl Fn(&Report) -> f64) -> Vec<f64> {
        self.rounds.iter().map(number).collect()
    }

    /// The median of a number over the rounds.
    pub(crate) fn median(&self, number: impl Fn(&Report) -> f64) -> f64 {
        median(self.each(number))
    }

    pub(crate) fn ratio(&self) -> f64 {
        median(self.ratios.clone())
    }

    /// The faults of all rounds.
    pub(crate) fn faults(&self) -> Faults {
        self.rounds.iter().fold(Faults::default(), |mut sum, report| {
            sum += report.faults;
            sum
        })
    }
}

/// Microseconds of the server for a delivery, when paced.
pub(crate) fn paced_cpu(report: &Report) -> f64 {
    report.paced.cpu_us_per_delivery.unwrap_or(f64::NAN)
}

/// Deliveries per second of a burst.
pub(crate) fn burst_rate(report: &Report) -> f64 {
    report.burst.deliveries_per_second
}

/// KiB of the server for an idle stream.
pub(crate) fn idle_kib(report: &Report) -> f64 {
    report.memory.map_or(f64::NAN, |memory| memory.per_idle_stream / 1024.0)
}

/// KiB of the server for a stream after all phases.
pub(crate) fn after_kib(report: &Report) -> f64 {
    report.memory.map_or(f64::NAN, |memory| memory.per_stream_after_traffic / 1024.0)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.len() % 2, numbers.get(middle)) {
        (1, Some(number)) => *number,
        (_, Some(number)) => f64::midpoint(numbers[middle - 1], *number),
        (_, None) => f64::NAN,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::latency::Percentiles;
    use crate::report::{Memory, Phase};

    /// A report with the three numbers that matter.
    pub(crate) fn report(cpu: f64, rate: f64, memory: f64) -> Report {
        let phase = Phase {
            publishes: 1,
            seconds: 1.0,
            deliveries: 1,
            deliveries_per_second: rate,
            cpu_us_per_delivery: Some(cpu),
            server_cpu: Some(0.5),
            load_cpu: 0.5,
            latency_us: Percentiles { p50: 1500.0, p99: 2500.0, max: 12_000.0 },
        };
        Report {
            url: String::new(),
            streams: 10,
            payload_bytes: 64,
            connect_seconds: 0.1,
            memory: Some(Memory {
                before: 0,
                per_idle_stream: memory,
                per_stream_after_traffic: 2.0 * memory,
            }),
            paced: phase.clone(),
            burst: phase,
            faults: Faults::default(),
            ok: true,
        }
    }

    #[test]
    fn medians_and_ratios_are_taken_round_by_round() {
        let floor = vec![report(10.0, 1.0, 0.0), report(20.0, 1.0, 0.0), report(5.0, 1.0, 0.0)];
        let other = vec![report(15.0, 3.0, 1024.0), report(20.0, 1.0, 1024.0), report(20.0, 2.0, 0.0)];
        let summaries = Summary::all(vec![("floor".to_owned(), floor), ("other".to_owned(), other)]);
        assert_eq!(summaries[1].ratios, [1.5, 1.0, 4.0]);
        assert!((summaries[1].ratio() - 1.5).abs() < 1e-9);
        assert!((summaries[1].median(burst_rate) - 2.0).abs() < 1e-9);
        assert!((summaries[1].median(idle_kib) - 1.0).abs() < 1e-9);
        assert!((median(vec![1.0, 2.0]) - 1.5).abs() < 1e-9);
    }
}
