//! The result of a judgment.

use std::{fmt, time::Duration};

use sse_core::backplane::Cursor;

use crate::observation::GapReason;

/// The result of a judgment.
///
/// A *pair* is an event and a client: an event that is due to ten clients counts ten times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgment {
    /// Clients that were judged.
    pub clients: u64,
    /// Judged clients that never had a position in the log, so that nothing was due to them.
    pub never_connected: u64,
    /// Judged clients that stopped without being asked to.
    pub gave_up: u64,
    /// Publications.
    pub published: u64,
    /// Publications that were acknowledged.
    pub acknowledged: u64,
    /// Pairs of an acknowledged event and a client to which it was due.
    pub due: u64,
    /// Due pairs that were delivered.
    pub delivered: u64,
    /// Due pairs that were not delivered but covered by a gap that the client received.
    pub covered: u64,
    /// Due pairs that were not delivered and not reported, although the client was served beyond
    /// them.
    pub lost: u64,
    /// Due pairs that were not delivered, of clients that had not been served so far when their
    /// journal ended.
    pub undelivered: u64,
    /// Further deliveries with an id that the client had already had before it last connected,
    /// which clients drop by the id.
    pub doubled_on_wire: u64,
    /// Further deliveries that a client cannot drop by the id: under another id of the same log, or
    /// within one connection.
    pub doubled: u64,
    /// Further deliveries, from another log than before, of events that were sent more than once:
    /// idempotency keys are lost together with a log.
    pub repeated: u64,
    /// Deliveries of events that nobody published.
    pub foreign: u64,
    /// Deliveries to a client that the event was not targeted at.
    pub misdirected: u64,
    /// Deliveries under another id than the acknowledged one.
    pub misplaced: u64,
    /// Deliveries and positions that go back in the log, or continue in another log without a gap.
    pub out_of_order: u64,
    /// Streams whose transfer coding was broken other than by a cut connection.
    pub malformed: u64,
    /// Streams that began.
    pub connects: u64,
    /// Streams of which the server said that every missed event follows.
    pub resumed: u64,
    /// Number of reports to clients that the log is unavailable.
    pub degraded: u64,
    /// Number of reports to clients that the log has recovered.
    pub restored: u64,
    /// Number of gaps that clients received.
    pub gaps: GapCounts,
    /// The first offences, in the order of the clients.
    pub offences: Vec<Offence>,
    /// Recovery times of clients after each fault, in the order of the faults.
    pub recoveries: Vec<Recovery>,
}

/// Gaps by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GapCounts {
    counts: [u64; GapReason::COUNT],
}

/// A violation of the promise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offence {
    /// Index of the client among those that were judged.
    pub client: usize,
    /// Kind of the offence.
    pub kind: OffenceKind,
    /// The event's number, if it has one.
    pub number: Option<u64>,
    /// Id of the delivery, or of the acknowledgement.
    pub id: Option<Cursor>,
    /// Time of the delivery since the origin of the client's journal; the time of the
    /// acknowledgement if the event was not delivered.
    pub at: Duration,
    /// Further information for the diagnosis.
    pub detail: String,
}

/// The kinds of violations; each corresponds to a count of [`Judgment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OffenceKind {
    /// [`Judgment::lost`].
    Lost,
    /// [`Judgment::undelivered`].
    Undelivered,
    /// [`Judgment::doubled`].
    Doubled,
    /// [`Judgment::foreign`].
    Foreign,
    /// [`Judgment::misdirected`].
    Misdirected,
    /// [`Judgment::misplaced`].
    Misplaced,
    /// [`Judgment::out_of_order`].
    OutOfOrder,
    /// [`Judgment::malformed`].
    Malformed,
}

/// The time until clients received an event after a fault was over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The fault's name.
    pub name: String,
    /// Clients that received an event before the next fault began, or before the end.
    pub recovered: u64,
    /// Clients that received no event in that time.
    pub without: u64,
    /// Time within which half of the recovered clients received an event.
    pub p50: Duration,
    /// Time within which 99 of 100 recovered clients received an event.
    pub p99: Duration,
    /// Time within which all recovered clients received an event.
    pub max: Duration,
}

impl Judgment {
    /// Returns `true` if no violation happened: the count of every [`OffenceKind`] is zero. Doubles
    /// that clients drop by the id are not violations.
    ///
    /// The test itself must check whether clients connected at all, gave up, or received gaps that
    /// the faults do not explain.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        OffenceKind::ALL.iter().all(|kind| self.count(*kind) == 0)
    }

    /// Returns the number of offences of a kind.
    #[must_use]
    pub fn count(&self, kind: OffenceKind) -> u64 {
        match kind {
            OffenceKind::Lost => self.lost,
            OffenceKind::Undelivered => self.undelivered,
            OffenceKind::Doubled => self.doubled,
            OffenceKind::Foreign => self.foreign,
            OffenceKind::Misdirected => self.misdirected,
            OffenceKind::Misplaced => self.misplaced,
            OffenceKind::OutOfOrder => self.out_of_order,
            OffenceKind::Malformed => self.malformed,
        }
    }

    pub(crate) fn count_one(&mut self, kind: OffenceKind) {
        let count = match kind {
            OffenceKind::Lost => &mut self.lost,
            OffenceKind::Undelivered => &mut self.undelivered,
            OffenceKind::Doubled => &mut self.doubled,
            OffenceKind::Foreign => &mut self.foreign,
            OffenceKind::Misdirected => &mut self.misdirected,
            OffenceKind::Misplaced => &mut self.misplaced,
            OffenceKind::OutOfOrder => &mut self.out_of_order,
            OffenceKind::Malformed => &mut self.malformed,
        };
        *count += 1;
    }
}

impl OffenceKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Undelivered,
        Self::Doubled,
        Self::Foreign,
        Self::Misdirected,
        Self::Misplaced,
        Self::OutOfOrder,
        Self::Malformed,
    ];
}

impl fmt::Display for OffenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Undelivered => "undelivered",
            Self::Doubled => "doubled",
            Self::Foreign => "foreign",
            Self::Misdirected => "misdirected",
            Self::Misplaced => "misplaced",
            Self::OutOfOrder => "out of order",
            Self::Malformed => "malformed",
        })
    }
}

/// Formats the offence as one line.
impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "client {}, {:.3} s: {}",
            self.client,
            self.at.as_secs_f64(),
            self.kind
        )?;
        if let Some(number) = self.number {
            write!(f, ", event {number}")?;
        }
        if let Some(id) = &self.id {
            write!(f, " at {id}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl GapCounts {
    /// Returns the number of gaps with this reason.
    #[must_use]
    pub fn of(&self, reason: GapReason) -> u64 {
        self.counts[reason as usize]
    }

    /// Returns the total number of gaps.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn count_one(&mut self, reason: GapReason) {
        self.counts[reason as usize] += 1;
    }
}
