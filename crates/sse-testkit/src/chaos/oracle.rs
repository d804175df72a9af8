//! What must hold, whatever happened.

use std::time::Duration;

use sse_core::{Cursor, Target, Topic, UserId};
use tokio::time::Instant;

use super::{GapReason, Journal};

/// Judges what clients were told by what was acknowledged.
#[derive(Debug)]
pub struct Oracle {}

/// An event that somebody tried to publish to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The number in its data, which no other has.
    pub number: u64,
    /// For whom.
    pub target: Target,
    /// How often it was sent, always with the same key if more than once.
    pub tries: u32,
    /// What was answered, if anything was.
    pub acknowledged: Option<Acknowledgement>,
}

/// The receipt of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The id in it.
    pub id: Cursor,
    /// When it came.
    pub at: Instant,
}

/// What a client should get, besides what goes to all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriber {
    /// Whose it is.
    pub user: Option<UserId>,
    /// Its topics.
    pub topics: Vec<Topic>,
}

/// Something that was done to the servers or the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub name: String,
    /// When it began.
    pub began: Instant,
    /// When it was over, so that everything could work again.
    pub ended: Instant,
}

/// Why publications cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// Two publications have the same number.
    #[error("two publications have the number {0}")]
    SameNumber(u64),
}

/// What was found.
///
/// What is counted by *pairs* is counted for each event and each client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Clients that were judged.
    pub clients: u64,
    /// Those of them that never had a position in the log, so that nothing was due to them.
    pub never_connected: u64,
    /// Those of them that stopped without being asked to.
    pub gave_up: u64,
    /// Publications.
    pub published: u64,
    /// Those of them that were acknowledged.
    pub acknowledged: u64,
    /// Pairs of an acknowledged event and a client to which it was due.
    pub due: u64,
    /// Those that came.
    pub delivered: u64,
    /// Those that did not come, and the client was told so by a gap.
    pub covered: u64,
    /// Those that did not come, without a word, although the client was served beyond them.
    pub lost: u64,
    /// Those that did not come, and the client had not been served so far when its journal ended.
    pub undelivered: u64,
    /// Further deliveries with an id that the client had already had before it last connected, which clients drop by the id.
    pub doubled_on_wire: u64,
    /// Further deliveries that a client cannot drop so: under another id of the same log, or within one connection.
    pub doubled: u64,
    /// Further deliveries of what was sent more than once, from another log than before: with a log its keys are lost.
    pub repeated: u64,
    /// Deliveries of events that nobody published.
    pub foreign: u64,
    /// Deliveries to a client that they were not meant for.
    pub misdirected: u64,
    /// Deliveries under another id than the acknowledged one.
    pub misplaced: u64,
    /// Deliveries and positions that go back in the log, or go on in another log without a gap.
    pub out_of_order: u64,
    /// Streams that began.
    pub connects: u64,
    /// Those of them of which the server said that everything that was missed follows.
    pub resumed: u64,
    /// How often clients were told that the log is away.
    pub degraded: u64,
    /// How often they were told that it is back.
    pub restored: u64,
    /// How often they were told of a gap.
    pub gaps: GapCounts,
    /// The first offences, in the order of the clients.
    pub offences: Vec<Offence>,
    /// How soon clients went on after each fault, in the order of the faults.
    pub recoveries: Vec<Recovery>,
}

/// Gaps by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GapCounts {
    counts: [u64; 6],
}

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offence {
    /// Which client, by its place among those that were judged.
    pub client: usize,
    /// What.
    pub kind: OffenceKind,
    /// The event's number, if it has one.
    pub number: Option<u64>,
    /// The id that it came under, or that was acknowledged.
    pub id: Option<Cursor>,
    /// When it came, since the origin of the client's journal; for what did not come, when it was acknowledged.
    pub at: Duration,
    /// What else helps to find out.
    pub detail: String,
}

/// What must not happen; each is a count of [`Verdict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OffenceKind {
    /// [`Verdict::lost`].
    Lost,
    /// [`Verdict::undelivered`].
    Undelivered,
    /// [`Verdict::doubled`].
    Doubled,
    /// [`Verdict::foreign`].
    Foreign,
    /// [`Verdict::misdirected`].
    Misdirected,
    /// [`Verdict::misplaced`].
    Misplaced,
    /// [`Verdict::out_of_order`].
    OutOfOrder,
}

/// How soon clients got something after a fault was over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The fault's name.
    pub name: String,
    /// Clients that got an event before the next fault began, or the end.
    pub recovered: u64,
    /// Those that got none.
    pub without: u64,
    /// Half of the former had an event after this time.
    pub p50: Duration,
    /// 99 of 100 had.
    pub p99: Duration,
    /// All had.
    pub max: Duration,
}

impl Oracle {
    /// How many offences are kept unless said otherwise.
    pub const OFFENCES_KEPT: usize = 20;

    /// Takes everything that was tried to be published.
    ///
    /// # Errors
    ///
    /// [`OracleError::SameNumber`].
    pub fn new(publications: impl IntoIterator<Item = Publication>) -> Result<Self, OracleError> {
        let _ = publications.into_iter();
        todo!()
    }

    /// What was done, for [`Verdict::recoveries`].
    #[must_use]
    pub fn faults(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        let _ = faults.into_iter();
        todo!()
    }

    /// How many offences to keep with their details; all are counted.
    #[must_use]
    pub fn offences_kept(self, count: usize) -> Self {
        let _ = count;
        todo!()
    }

    /// Judges clients.
    #[must_use]
    pub fn judge<'a>(&self, clients: impl IntoIterator<Item = (&'a Subscriber, &'a Journal)>) -> Verdict {
        let _ = clients.into_iter();
        todo!()
    }
}

impl Publication {
    /// An event that was sent once, without an answer yet.
    #[must_use]
    pub fn new(number: u64, target: Target) -> Self {
        Self { number, target, tries: 1, acknowledged: None }
    }

    /// Notes the receipt's id.
    pub fn acknowledge(&mut self, id: Cursor) {
        self.acknowledged = Some(Acknowledgement { id, at: Instant::now() });
    }
}

impl Verdict {
    /// Whether nothing happened that must not: nothing was lost, undelivered, doubled beyond what ids tell, or wrong.
    ///
    /// Whether clients connected at all, gave up, or were told of gaps that the faults do not explain, is for the test to say.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        todo!()
    }
}

impl GapCounts {
    /// How often with this reason.
    #[must_use]
    pub fn of(&self, reason: GapReason) -> u64 {
        self.counts[reason as usize]
    }

    /// How often altogether.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}
