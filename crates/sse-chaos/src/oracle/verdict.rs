//! What was found.

use std::{fmt, time::Duration};

use sse_core::Cursor;

use crate::observation::GapReason;

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
    /// Further deliveries with an id that the client had already had before it last connected,
    /// which clients drop by the id.
    pub doubled_on_wire: u64,
    /// Further deliveries that a client cannot drop so: under another id of the same log, or within
    /// one connection.
    pub doubled: u64,
    /// Further deliveries of what was sent more than once, from another log than before: with a log
    /// its keys are lost.
    pub repeated: u64,
    /// Deliveries of events that nobody published.
    pub foreign: u64,
    /// Deliveries to a client that they were not meant for.
    pub misdirected: u64,
    /// Deliveries under another id than the acknowledged one.
    pub misplaced: u64,
    /// Deliveries and positions that go back in the log, or go on in another log without a gap.
    pub out_of_order: u64,
    /// Streams whose transfer coding was broken other than by being cut off.
    pub malformed: u64,
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
    counts: [u64; GapReason::COUNT],
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
    /// When it came, since the origin of the client's journal; for what did not come, when it was
    /// acknowledged.
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
    /// [`Verdict::malformed`].
    Malformed,
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

impl Verdict {
    /// Whether nothing happened that must not: nothing was lost, undelivered, doubled beyond what
    /// ids tell, or wrong.
    ///
    /// Whether clients connected at all, gave up, or were told of gaps that the faults do not
    /// explain, is for the test to say.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        OffenceKind::ALL.iter().all(|kind| self.count(*kind) == 0)
    }

    /// How many offences of a kind there are.
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

/// One line.
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

    pub(crate) fn count_one(&mut self, reason: GapReason) {
        self.counts[reason as usize] += 1;
    }
}
