//! Numbers about a manager.

use serde::Serialize;

use crate::{
    dialect::{connect_error::CAUSE_NAMES, reason::DisconnectReason},
    sequencer::SequencerCounts,
};

/// Numbers about a manager. Gauges are of now, counters since it was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Streams that are live; ending ones do not count.
    pub total_connections: usize,
    /// Users with at least one live stream; anonymous streams have none.
    pub unique_users: usize,
    /// Streams that are ending: their transport has not let go of them yet.
    pub ending: usize,
    /// Counters.
    pub counters: Counters,
}

/// What has happened since the manager was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counters {
    /// Streams accepted.
    pub connected: u64,
    /// Streams that ended, by reason.
    pub disconnected: NamedCounts<{ DisconnectReason::ALL.len() }>,
    /// Streams refused, by cause.
    pub refused: NamedCounts<{ CAUSE_NAMES.len() }>,
    /// Events published, whether anybody was there or not.
    pub published: u64,
    /// Events put into queues.
    pub queued: u64,
    /// Events that transports took.
    pub delivered: u64,
    /// Bytes of events that transports took, first and last blocks and heartbeats included.
    pub bytes: u64,
    /// Events dropped because a queue was full.
    pub dropped: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
}

/// A counter for each of a fixed set of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCounts<const N: usize> {
    names: [&'static str; N],
    counts: [u64; N],
}

impl<const N: usize> NamedCounts<N> {
    pub(crate) const fn new(names: [&'static str; N], counts: [u64; N]) -> Self {
        Self { names, counts }
    }

    /// Names and counts, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.into_iter().zip(self.counts)
    }

    /// The count under a name; zero for an unknown one.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, count)| count)
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl<const N: usize> Serialize for NamedCounts<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Counters {
    pub(crate) fn new(counts: &SequencerCounts, delivered: u64, bytes: u64) -> Self {
        Self {
            connected: counts.connected,
            disconnected: NamedCounts {
                names: DisconnectReason::ALL.map(DisconnectReason::as_str),
                counts: counts.ended,
            },
            refused: NamedCounts {
                names: CAUSE_NAMES,
                counts: counts.refused,
            },
            published: counts.published,
            queued: counts.queued,
            delivered,
            bytes,
            dropped: counts.dropped,
            heartbeats: counts.heartbeats,
        }
    }
}
