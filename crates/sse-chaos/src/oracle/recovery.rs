//! The time that clients took to recover from faults.

use std::time::Duration;

use tokio::time::Instant;

use crate::oracle::judgment::Recovery;

/// A fault that was injected into the servers or the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPeriod {
    /// Name of the fault.
    pub name: String,
    /// Time at which the fault began.
    pub began: Instant,
    /// Time at which the fault was over, so that everything could work again.
    pub ended: Instant,
}

/// The time from the end of each fault until clients received an event.
#[derive(Debug)]
pub(crate) struct Recoveries<'a> {
    faults: &'a [FaultPeriod],
    windows: Vec<RecoveryWindow>,
}

/// The time after a fault.
#[derive(Debug)]
struct RecoveryWindow {
    begins: Instant,
    /// Time at which the next fault begins.
    ends: Option<Instant>,
    took: Vec<Duration>,
    without: u64,
}

impl<'a> Recoveries<'a> {
    pub(crate) fn after(faults: &'a [FaultPeriod]) -> Self {
        let next = |ended| {
            faults
                .iter()
                .map(|fault| fault.began)
                .filter(|began| *began >= ended)
                .min()
        };
        let windows = faults.iter().map(|fault| RecoveryWindow {
            begins: fault.ended,
            ends: next(fault.ended),
            took: Vec::new(),
            without: 0,
        });
        Self {
            faults,
            windows: windows.collect(),
        }
    }

    /// Records the times of a client's events, in rising order, and the time from which on the
    /// client was present.
    pub(crate) fn note(&mut self, since: Instant, events: &[Instant]) {
        for window in self
            .windows
            .iter_mut()
            .filter(|window| since <= window.begins)
        {
            let next = events.partition_point(|at| *at < window.begins);
            match events
                .get(next)
                .filter(|at| window.ends.is_none_or(|ends| **at < ends))
            {
                Some(at) => window.took.push(*at - window.begins),
                None => window.without += 1,
            }
        }
    }

    pub(crate) fn summed_up(self) -> Vec<Recovery> {
        let windows = self.windows.into_iter().zip(self.faults);
        windows
            .map(|(window, fault)| window.summed_up(fault.name.clone()))
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl RecoveryWindow {
    fn summed_up(mut self, name: String) -> Recovery {
        self.took.sort_unstable();
        let count = self.took.len();
        // By nearest rank: the least value that the given share of clients did not exceed.
        let rank = |percent: usize| {
            self.took
                .get((count * percent).div_ceil(100).saturating_sub(1))
        };
        let rank = |percent| rank(percent).copied().unwrap_or_default();
        Recovery {
            name,
            recovered: count as u64,
            without: self.without,
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}
