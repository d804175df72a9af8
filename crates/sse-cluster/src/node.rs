//! The known state of one node.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    messages::{Report, ReportPart, Summary},
    sharded_map::{SHARDS, ShardedMap},
};

/// The known state of one node.
#[derive(Debug)]
pub(crate) struct KnownNode {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) users: ShardedMap<Count>,
    pub(crate) streams: u64,
    pub(crate) state: SyncState,
    /// The number of the next report.
    pub(crate) next: u64,
    pub(crate) generation: u32,
    /// Time of the known state.
    pub(crate) as_of: Instant,
    /// Time when the node was first seen, until its lease is found.
    pub(crate) new_since: Option<Instant>,
    /// The number of a report that the lease mentions and that has not arrived.
    pub(crate) missing_report: Option<u64>,
    /// Time when the node was asked for a list of all its users.
    pub(crate) asked: Option<Instant>,
}

/// Streams of a user on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) streams: u32,
    /// The generation of the count. At the end of a list of all users, counts of older generations
    /// are removed.
    pub(crate) generation: u32,
}

/// The relation between the known and the actual state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// Reports were missed: the known state may be outdated.
    Lost,
    /// The node is listing all its users.
    Listing,
    /// The list is complete; users that were not listed are being removed, shard by shard.
    Sweeping(usize),
    /// The known state is current.
    Current,
}

/// The order of a report relative to the reports before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportKind {
    /// The report was received before.
    Old,
    /// Earlier reports were missed.
    Early,
    /// The report is the next one, and must be applied.
    Next,
}

impl KnownNode {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            name: None,
            users: ShardedMap::default(),
            streams: 0,
            state: SyncState::Lost,
            next: 0,
            generation: 0,
            as_of: now,
            new_since: Some(now),
            missing_report: None,
            asked: None,
        }
    }

    pub(crate) fn is_current(&self) -> bool {
        self.state == SyncState::Current
    }

    /// Marks the known state as outdated, because reports were missed.
    pub(crate) fn lose(&mut self) {
        self.state = SyncState::Lost;
        self.asked = None;
    }

    /// Determines the kind of a report, and records its number.
    pub(crate) fn take(&mut self, report: &Report) -> ReportKind {
        let begins = matches!(report.part, ReportPart::Page { first: true, .. });
        if self.state == SyncState::Lost && !begins {
            return ReportKind::Early;
        }
        if self.state != SyncState::Lost && report.number < self.next {
            return ReportKind::Old;
        }
        let is_next = self.state != SyncState::Lost && report.number == self.next;
        if !is_next && !begins {
            self.lose();
            return ReportKind::Early;
        }
        let is_known = is_next && matches!(self.state, SyncState::Current | SyncState::Sweeping(_));
        if begins && !is_known {
            self.state = SyncState::Listing;
            self.generation = self.generation.wrapping_add(1);
        }
        if self.state == SyncState::Listing
            && matches!(report.part, ReportPart::Page { last: true, .. })
        {
            self.state = SyncState::Sweeping(0);
        }
        self.next = report.number.saturating_add(1);
        ReportKind::Next
    }

    /// Compares the lease with the received reports. Returns `true` if reports were missed. A
    /// report can be in flight, so a missing report counts only at the next check.
    pub(crate) fn compare(&mut self, summary: &Summary, now: Instant) -> bool {
        self.new_since = None;
        self.name = summary.name.as_deref().map(Into::into);
        if self.state == SyncState::Lost {
            return false;
        }
        if summary.number < self.next {
            self.missing_report = None;
            self.as_of = now;
            return false;
        }
        let is_late = self
            .missing_report
            .is_some_and(|number| number >= self.next);
        self.missing_report = Some(summary.number);
        is_late
    }

    /// Returns the next shard to remove users from.
    pub(crate) fn sweep(&mut self) -> Option<usize> {
        let SyncState::Sweeping(shard) = self.state else {
            return None;
        };
        self.state = if shard + 1 < SHARDS {
            SyncState::Sweeping(shard + 1)
        } else {
            SyncState::Current
        };
        Some(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(number: u64, part: ReportPart) -> Report {
        Report {
            number,
            part,
            streams: 0,
            unique_users: None,
            users: Vec::new(),
            bans: Vec::new(),
        }
    }

    fn page(number: u64, first: bool, last: bool) -> Report {
        report(number, ReportPart::Page { first, last })
    }

    fn current() -> KnownNode {
        let mut node = KnownNode::new(Instant::now());
        assert_eq!(node.take(&page(7, true, true)), ReportKind::Next);
        while node.sweep().is_some() {}
        assert!(node.is_current());
        node
    }

    #[test]
    fn changes_require_list_and_hole_requests_one() {
        let mut node = KnownNode::new(Instant::now());
        assert_eq!(
            node.take(&report(1, ReportPart::Changes)),
            ReportKind::Early
        );
        let mut node = current();
        assert_eq!(node.take(&report(8, ReportPart::Changes)), ReportKind::Next);
        assert_eq!(node.take(&report(8, ReportPart::Changes)), ReportKind::Old);
        assert_eq!(
            node.take(&report(10, ReportPart::Changes)),
            ReportKind::Early
        );
        assert_eq!(node.state, SyncState::Lost);
        assert_eq!(
            node.take(&report(11, ReportPart::Changes)),
            ReportKind::Early
        );
        assert_eq!(node.take(&page(12, true, false)), ReportKind::Next);
        assert_eq!(
            node.take(&report(13, ReportPart::Changes)),
            ReportKind::Next
        );
        assert_eq!(node.take(&page(15, false, true)), ReportKind::Early);
    }

    #[test]
    fn list_after_hole_starts_new_generation() {
        let mut node = current();
        let generation = node.generation;
        assert_eq!(node.take(&page(8, true, false)), ReportKind::Next);
        assert_eq!(node.take(&page(9, false, true)), ReportKind::Next);
        assert!(node.is_current() && node.generation == generation);
        assert_eq!(node.take(&page(11, true, true)), ReportKind::Next);
        assert_eq!(
            (node.state, node.generation),
            (SyncState::Sweeping(0), generation + 1)
        );
    }

    #[test]
    fn lease_ahead_twice_reveals_missed_reports() {
        let mut node = current();
        let now = Instant::now();
        let says = |number| Summary {
            name: None,
            number,
            streams: 0,
        };
        assert!(!node.compare(&says(7), now));
        assert!(!node.compare(&says(8), now), "the report can be in flight");
        assert_eq!(node.take(&report(8, ReportPart::Changes)), ReportKind::Next);
        assert!(!node.compare(&says(9), now));
        assert!(node.compare(&says(10), now));
    }
}
