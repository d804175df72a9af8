//! What can go wrong.

use std::{fmt, time::Duration};

use crate::guests::Sort;

/// Something that goes wrong, and is put right after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker is killed as by `kill -9`, and started again with what it wrote down.
    BrokerKilled,
    /// The broker is killed and loses what it wrote down.
    BrokerLost,
    /// The broker is paused, by `SIGSTOP`: connections stay, and nobody answers.
    BrokerPaused,
    /// The broker is emptied while it runs.
    BrokerEmptied,
    /// The replica is cut off, and takes the place of the broker without the last entries.
    FailOver,
    /// The broker's clock is set back by an hour.
    ClockSetBack,
    /// The server in charge is killed, and sentinels put the other one in charge.
    PrimaryKilled,
    /// One server of a cluster is killed.
    ServerKilled(usize),
    /// So many come beside the clients.
    Guests(Sort, usize),
    /// What a node and the broker say to each other stays on the way, new connections included, and
    /// comes later.
    LinkFrozen(usize),
    /// What a node and the broker say to each other vanishes for ever, and neither is told; new
    /// connections work.
    LinkBlackHoled(usize),
    /// A node is cut off from the broker.
    LinkCut(usize),
    /// A node is paused, by `SIGSTOP`.
    NodePaused(usize),
    /// A node is killed as by `kill -9`.
    NodeKilled(usize),
    /// Each node in its turn is asked to drain, and started again.
    RollingRestart,
    /// All nodes are asked to drain at once, and started again.
    NodesRestarted,
    /// The clock of a node is set back by an hour, and then right again.
    NodeClock(usize),
    /// All connections of clients are cut, and none is taken.
    ClientsDropped,
    /// What clients and nodes say to each other stays on the way, new connections included, and
    /// comes later.
    ClientsFrozen,
    /// What clients and nodes say to each other vanishes for ever, and neither is told; new
    /// connections work.
    ClientsBlackHoled,
}

impl Fault {
    /// Whether the log is gone.
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
            Self::FailOver => f.write_str("replica cut off, then in charge"),
            Self::ClockSetBack => f.write_str("clock of the broker set back"),
            Self::PrimaryKilled => f.write_str("primary killed, then another one in charge"),
            Self::ServerKilled(server) => write!(f, "server {server} killed"),
            Self::Guests(Sort::Forgers, count) => write!(f, "{count} who forge ids"),
            Self::Guests(Sort::SlowReaders, count) => {
                write!(f, "{count} who read a byte a second or nothing")
            }
            Self::Guests(Sort::Newcomers, count) => write!(f, "{count} who come at once"),
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

/// How long something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    Time(Duration),
    /// Until so many events more were acknowledged.
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

/// What follows once it was put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Every client catches up.
    CatchUp,
    /// The next thing goes wrong after this time, whoever has caught up.
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

/// One thing, or several at once, that go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) faults: Vec<Fault>,
    pub(crate) lasts: Lasts,
    pub(crate) then: Then,
}

impl fmt::Display for Step {
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
