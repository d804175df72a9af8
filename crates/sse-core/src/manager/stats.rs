//! Statistics about a manager.

use serde::Serialize;

use crate::{
    dialect::{connect_error::CAUSE_NAMES, reason::DisconnectReason},
    sequencer::SequencerCounts,
};

/// Statistics about a manager. Gauges are current, counters count since the manager was built.
///
/// ```
/// use sse_core::{Handshake, Manager};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42"))?;
/// let stats = manager.stats();
/// assert_eq!((stats.total_connections, stats.unique_users), (1, 1));
///
/// drop(session);
/// assert_eq!(manager.stats().counters.disconnected.get("client_left"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of live streams, without ending streams.
    pub total_connections: usize,
    /// Number of users with at least one live stream; anonymous streams have no user.
    pub unique_users: usize,
    /// Number of ending streams, which their transports have not released yet.
    pub ending: usize,
    /// The counters.
    pub counters: Counters,
}

/// Counters of operations since the manager was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counters {
    /// Number of accepted streams.
    pub connected: u64,
    /// Number of ended streams, by reason.
    pub disconnected: NamedCounts<{ DisconnectReason::ALL.len() }>,
    /// Number of rejected streams, by cause.
    pub refused: NamedCounts<{ CAUSE_NAMES.len() }>,
    /// Number of published events, with or without recipients.
    pub published: u64,
    /// Number of events put into queues.
    pub queued: u64,
    /// Number of events that transports took.
    pub delivered: u64,
    /// Number of bytes that transports took, first and last blocks and heartbeats included.
    pub bytes: u64,
    /// Number of events that were dropped because a queue was full.
    pub dropped: u64,
    /// Number of heartbeats sent.
    pub heartbeats: u64,
}

/// A counter for each of a fixed set of names.
///
/// ```
/// use sse_core::{Handshake, Manager};
///
/// let manager = Manager::builder().max_connections(1).build()?;
/// let session = manager.connect(Handshake::new())?;
/// assert!(manager.connect(Handshake::new()).is_err());
///
/// let refused = manager.stats().counters.refused;
/// assert_eq!((refused.get("full"), refused.total()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCounts<const N: usize> {
    names: [&'static str; N],
    counts: [u64; N],
}

impl<const N: usize> NamedCounts<N> {
    pub(crate) const fn new(names: [&'static str; N], counts: [u64; N]) -> Self {
        Self { names, counts }
    }

    /// Iterates over names and counts, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.into_iter().zip(self.counts)
    }

    /// Returns the count of a name; zero for an unknown name.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, count)| count)
    }

    /// Returns the sum of all counts.
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
