//! The steps of a scenario.

use std::fmt;

use crate::{
    fault::{Fault, FaultStep},
    node_clients::BrowserClient,
};

/// Number of hubs.
pub(crate) const NODES: usize = 3;

/// Number of servers in a NATS cluster.
pub(crate) const SERVERS: usize = 3;

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunLength {
    /// Fewer rounds, just long enough that nodes and clients notice the fault.
    Short,
    Long,
}

/// The expectation of gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// Nothing is lost, so no client may receive a gap.
    Never,
    Perhaps,
    /// Events are lost, so some client must receive a gap.
    Surely,
}

/// The arrangement of the brokers that the nodes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    /// One broker.
    #[default]
    One,
    /// A Redis, and a replica that may replace it.
    Replica,
    /// A Redis, a replica, and sentinels.
    Sentinels(Wire),
    /// Servers of NATS, each with the whole log.
    Cluster,
}

/// The transport between servers, sentinels and nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Plain,
    Tls,
}

/// The steps of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Flags of the hubs.
    pub(crate) settings: Vec<String>,
    pub(crate) layout: Layout,
    /// Client of the browsers.
    pub(crate) browser: BrowserClient,
    /// Set if clients are disconnected for longer than the log reaches back.
    pub(crate) trims: bool,
    pub(crate) steps: Vec<FaultStep>,
}

impl Plan {
    /// Returns the maximum number of simultaneous guests.
    pub(crate) fn guests(&self) -> usize {
        let faults = self.steps.iter().flat_map(|step| &step.faults);
        let counts = faults.map(|fault| {
            if let Fault::Guests(_, count) = fault {
                *count
            } else {
                0
            }
        });
        counts.max().unwrap_or_default()
    }

    /// Returns `true` if clocks of hubs are set.
    pub(crate) fn sets_clocks(&self) -> bool {
        self.steps
            .iter()
            .flat_map(|step| &step.faults)
            .any(|fault| matches!(fault, Fault::NodeClock(_)))
    }

    /// Returns the expectation of gaps.
    pub(crate) fn gaps(&self) -> Gaps {
        let mut faults = self.steps.iter().flat_map(|step| &step.faults);
        match () {
            () if self.trims || faults.any(|fault| fault.loses_the_log()) => Gaps::Surely,
            () if matches!(self.layout, Layout::Replica | Layout::Sentinels(_)) => Gaps::Perhaps,
            () => Gaps::Never,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.settings.is_empty() {
            writeln!(f, "  hubs with {}", self.settings.join(" "))?;
        }
        self.steps
            .iter()
            .enumerate()
            .try_for_each(|(index, step)| writeln!(f, "  {}. {step}", index + 1))
    }
}
