//! The combined rounds of one server.

use serde::Serialize;

use crate::driver::tracker::Faults;
use crate::report::Report;
use crate::report::figures::median;
use crate::report::ratios::Ratios;
use crate::servers::contender::Contender;
use crate::servers::stack::Stack;

/// The reports of one server, and the servers it is compared with.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) contender: Contender,
    pub(crate) rounds: Vec<Report>,
}

/// The reports of one server, compared with those of the floor and of the framework's native server
/// in the same round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    /// CPU per delivery when paced, as a multiple of the floor's in the same round; empty without
    /// the floor.
    pub(crate) ratios: Vec<f64>,
    /// Ratios to the framework's native server, if that was measured.
    pub(crate) native: Option<Ratios>,
    pub(crate) rounds: Vec<Report>,
}

impl Summary {
    /// Summarizes servers, including those that others are compared with.
    pub(crate) fn all(servers: Vec<Measured>) -> Vec<Self> {
        let ratios = |server: &Measured, to: &str| {
            let other = servers.iter().find(|other| other.contender.name == to)?;
            Some(Ratios::between(&server.rounds, to, &other.rounds))
        };
        let compared: Vec<_> = servers
            .iter()
            .map(|server| {
                let floor = ratios(server, Stack::Floor.title()).map(|ratios| ratios.paced_cpu);
                let native = server
                    .contender
                    .native
                    .and_then(|native| ratios(server, native.title()));
                (floor.unwrap_or_default(), native)
            })
            .collect();
        let summary = |(server, (ratios, native)): (Measured, _)| Self {
            name: server.contender.name,
            ratios,
            native,
            rounds: server.rounds,
        };
        servers.into_iter().zip(compared).map(summary).collect()
    }

    /// Returns a number of each round.
    pub(crate) fn each(&self, number: impl Fn(&Report) -> f64) -> Vec<f64> {
        self.rounds.iter().map(number).collect()
    }

    /// Returns the median of a number over the rounds.
    pub(crate) fn median(&self, number: impl Fn(&Report) -> f64) -> f64 {
        median(self.each(number))
    }

    /// Returns the largest value of a number over the rounds.
    pub(crate) fn worst(&self, number: impl Fn(&Report) -> f64) -> f64 {
        self.each(number).into_iter().fold(f64::NAN, f64::max)
    }

    /// Returns the median of the ratios to the floor.
    pub(crate) fn ratio(&self) -> f64 {
        median(self.ratios.clone())
    }

    /// Returns the median of one of the ratios to the native server; not a number if there are
    /// none.
    pub(crate) fn native_ratio(&self, ratio: impl Fn(&Ratios) -> &[f64]) -> f64 {
        self.native
            .as_ref()
            .map_or(f64::NAN, |ratios| median(ratio(ratios).to_vec()))
    }

    /// Returns the faults of all rounds.
    pub(crate) fn faults(&self) -> Faults {
        self.rounds
            .iter()
            .fold(Faults::default(), |mut sum, report| {
                sum += report.faults;
                sum
            })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::driver::latency::Percentiles;
    use crate::report::figures::{burst_rate, idle_kib};
    use crate::report::{Memory, Phase};

    /// Returns a server of this program, as if measured.
    pub(crate) fn measured(stack: Stack, rounds: Vec<Report>) -> Measured {
        Measured {
            contender: Contender::own("load".as_ref(), stack),
            rounds,
        }
    }

    /// Returns a report with the three numbers that matter.
    pub(crate) fn report(cpu: f64, rate: f64, memory: f64) -> Report {
        let phase = Phase {
            publishes: 1,
            seconds: 1.0,
            deliveries: 1,
            deliveries_per_second: rate,
            cpu_us_per_delivery: Some(cpu),
            server_cpu: Some(0.5),
            load_cpu: 0.5,
            longest_stall_ms: 3.0,
            latency_us: Percentiles {
                p50: 1500.0,
                p99: 2500.0,
                max: 12_000.0,
            },
        };
        Report {
            url: String::new(),
            streams: 10,
            payload_bytes: 64,
            connect_seconds: 0.1,
            connect_cpu_us: None,
            idle_cpu: None,
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
        let floor = vec![
            report(10.0, 1.0, 0.0),
            report(20.0, 1.0, 0.0),
            report(5.0, 1.0, 0.0),
        ];
        let other = vec![
            report(15.0, 3.0, 1024.0),
            report(20.0, 1.0, 1024.0),
            report(20.0, 2.0, 0.0),
        ];
        let own = vec![report(30.0, 1.5, 2048.0); 3];
        let summaries = Summary::all(vec![
            measured(Stack::SseAxum, other),
            measured(Stack::Floor, floor),
            measured(Stack::AxumNative, own),
        ]);
        assert_eq!(summaries[0].ratios, [1.5, 1.0, 4.0]);
        assert!((summaries[0].ratio() - 1.5).abs() < 1e-9);
        assert!((summaries[0].median(burst_rate) - 2.0).abs() < 1e-9);
        assert!((summaries[0].median(idle_kib) - 1.0).abs() < 1e-9);
        assert!((summaries[0].native_ratio(|ratios| &ratios.burst) - 4.0 / 3.0).abs() < 1e-9);
        assert!((summaries[0].native_ratio(|ratios| &ratios.memory) - 0.5).abs() < 1e-9);
        assert!((median(vec![1.0, 2.0]) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn ratios_require_the_other_servers() {
        let summaries = Summary::all(vec![measured(Stack::SseHyper, vec![report(1.0, 1.0, 1.0)])]);
        assert!(summaries[0].native.is_none() && summaries[0].ratios.is_empty());
        assert!(
            summaries[0].ratio().is_nan()
                && summaries[0].native_ratio(|ratios| &ratios.burst).is_nan()
        );
    }
}
