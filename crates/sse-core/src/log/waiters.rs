//! Streams that wait for the log.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeBounds,
};

use crate::{
    event::cursor::Position,
    id::client_id::ClientId,
    log::shares::{Party, Shares},
};

/// A stream, identified by its slot and its client id.
pub(crate) type WaitingStream = (u32, ClientId);

/// The condition that a stream waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// The node advances in the log.
    Head,
    /// The entries after the position are read from the backplane.
    Part(Position),
}

/// The streams that catch up and wait for the log. Some of them can have disconnected.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    pub(crate) for_head: VecDeque<WaitingStream>,
    pub(crate) for_parts: BTreeMap<Position, Vec<(WaitingStream, Party)>>,
    pub(crate) len: usize,
    pub(crate) shares: Shares,
    /// Positions at which reading failed, until the read is retried.
    pub(crate) suspended: BTreeSet<Position>,
}

impl Waiters {
    pub(crate) fn add_for_part(&mut self, stream: WaitingStream, party: Party, after: Position) {
        self.len += 1;
        self.for_parts
            .entry(after)
            .or_default()
            .push((stream, party));
        if !self.suspended.contains(&after) {
            self.shares.add(party, after);
        }
    }

    pub(crate) fn pop_for_head(&mut self) -> Option<WaitingStream> {
        let stream = self.for_head.pop_front()?;
        self.len -= 1;
        Some(stream)
    }

    /// Removes and returns a stream that waits for what follows a position in a range. The lowest
    /// position is first.
    pub(crate) fn pop_for_part(
        &mut self,
        within: &(impl RangeBounds<Position> + Clone),
    ) -> Option<(Position, WaitingStream)> {
        let (after, streams) = self.for_parts.range_mut(within.clone()).next()?;
        let after = *after;
        let popped = streams.pop();
        if streams.is_empty() {
            self.for_parts.remove(&after);
        }
        let (stream, party) = popped?;
        self.len -= 1;
        if !self.suspended.contains(&after) {
            self.shares.remove(party, after);
        }
        Some((after, stream))
    }

    /// Excludes a position from the turns.
    pub(crate) fn suspend(&mut self, after: Position) {
        if self.suspended.insert(after) {
            let parties = self.for_parts.get(&after).into_iter().flatten();
            parties.for_each(|(_, party)| self.shares.remove(*party, after));
        }
    }

    /// Includes a position in the turns again.
    pub(crate) fn resume(&mut self, after: Position) {
        if self.suspended.remove(&after) {
            let parties = self.for_parts.get(&after).into_iter().flatten();
            parties.for_each(|(_, party)| self.shares.add(*party, after));
        }
    }

    pub(crate) fn retain(&mut self, is_there: impl Fn(&WaitingStream) -> bool) {
        let Self {
            for_head,
            for_parts,
            shares,
            suspended,
            ..
        } = self;
        for_head.retain(&is_there);
        for_parts.retain(|after, streams| {
            streams.retain(|(stream, party)| {
                let is_there = is_there(stream);
                if !is_there && !suspended.contains(after) {
                    shares.remove(*party, *after);
                }
                is_there
            });
            !streams.is_empty()
        });
        self.len = self.for_head.len() + self.for_parts.values().map(Vec::len).sum::<usize>();
    }
}
