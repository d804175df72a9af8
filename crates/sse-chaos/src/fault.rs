//! Faults that can be injected.

use std::{fmt, time::Duration};

use crate::guests::Sort;

/// A fault that is injected, and repaired after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker is killed as by `kill -9`, and restarted with the data that it persisted.
    BrokerKilled,
    /// The broker is killed and loses the data that it persisted.
    BrokerLost,
    /// The broker is paused by `SIGSTOP`: connections stay open without any reply.
    BrokerPaused,
    /// The broker is emptied while it runs.
    BrokerEmptied,
    /// The replica is cut off, and replaces the broker without the last entries.
    FailOver,
    /// The broker's clock is set back by an hour.
    ClockSetBack,
    /// The primary is killed, and sentinels promote the other server.
    PrimaryKilled,
    /// One server of a cluster is killed.
    ServerKilled(usize),
    /// A number of guests connect in addition to the clients.
    Guests(Sort, usize),
    /// Traffic between a node and the broker is held up and delivered later, on new connections as
    /// well.
    LinkFrozen(usize),
    /// Traffic between a node and the broker vanishes for good without notice to either side; new
    /// connections work.
    LinkBlackHoled(usize),
    /// A node is disconnected from the broker.
    LinkCut(usize),
    /// A node is paused, by `SIGSTOP`.
    NodePaused(usize),
    /// A node is killed as by `kill -9`.
    NodeKilled(usize),
    /// Each node in turn is asked to drain, and is restarted.
    RollingRestart,
    /// All nodes are asked to drain at once, and are restarted.
    NodesRestarted,
    /// The clock of a node is set back by an hour, and later set right.
    NodeClock(usize),
    /// All connections of clients are cut, and new ones are not accepted.
    ClientsDropped,
    /// Traffic between clients and nodes is held up and delivered later, on new connections as
    /// well.
    ClientsFrozen,
    /// Traffic between clients and nodes vanishes for good without notice to either side; new
    /// connections work.
    ClientsBlackHoled,
}

impl Fault {
    /// Returns `true` if the fault loses the log.
    pub(crate) fn loses_the_log(self) -> bool {
        matches!(self, Self::BrokerLost | Self::BrokerEmptied)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokerKilled => f.write_str("broker killed"),
            Self::BrokerLost => f.write_str("broker killed and its files lost"),
            Self::BrokerPaused => f.write_str("broker paused"),
            Self::BrokerEmptied => f.write_str("broker emptied"),
            Self::FailOver => f.write_str("replica cut off, then promoted"),
            Self::ClockSetBack => f.write_str("clock of the broker set back"),
            Self::PrimaryKilled => f.write_str("primary killed, then a replica promoted"),
            Self::ServerKilled(server) => write!(f, "server {server} killed"),
            Self::Guests(Sort::Forgers, count) => write!(f, "{count} guests with forged ids"),
            Self::Guests(Sort::SlowReaders, count) => {
                write!(f, "{count} guests that read a byte a second or nothing")
            }
            Self::Guests(Sort::Newcomers, count) => write!(f, "{count} guests at once"),
            Self::LinkFrozen(node) => write!(f, "node {node} and broker frozen"),
            Self::LinkBlackHoled(node) => write!(f, "node {node} and broker half-open"),
            Self::LinkCut(node) => write!(f, "node {node} cut off from the broker"),
            Self::NodePaused(node) => write!(f, "node {node} paused"),
            Self::NodeKilled(node) => write!(f, "node {node} killed"),
            Self::RollingRestart => f.write_str("nodes restarted in turn"),
            Self::NodesRestarted => f.write_str("all nodes restarted"),
            Self::NodeClock(node) => write!(f, "clock of node {node} set back"),
            Self::ClientsDropped => f.write_str("all clients dropped"),
            Self::ClientsFrozen => f.write_str("all clients frozen"),
            Self::ClientsBlackHoled => f.write_str("all clients half-open"),
        }
    }
}

/// The duration of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    Time(Duration),
    /// Until this number of further events has been acknowledged.
    Events(u64),
}

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "for {:.1} s", time.as_secs_f64()),
            Self::Events(count) => write!(f, "for {count} events"),
        }
    }
}

/// The part of a step that follows the repair of its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Every client catches up.
    CatchUp,
    /// The next fault follows after this time, even if some clients have not caught up.
    GoOn(Duration),
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CatchUp => f.write_str("all catch up"),
            Self::GoOn(time) => write!(f, "{:.1} s of calm", time.as_secs_f64()),
        }
    }
}

/// One fault, or several at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultStep {
    pub(crate) faults: Vec<Fault>,
    pub(crate) lasts: Lasts,
    pub(crate) then: Then,
}

impl fmt::Display for FaultStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.faults.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{} {}; then {}",
            faults.join(" and "),
            self.lasts,
            self.then
        )
    }
}
