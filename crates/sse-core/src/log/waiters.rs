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

/// A stream, by the place that it had.
pub(crate) type Stream = (u32, ClientId);

/// For what a stream waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// That the node comes further in the log.
    Head,
    /// For what follows a position, to be read from the backplane.
    Part(Position),
}

/// Streams that catch up and wait for the log, some of them gone.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    pub(crate) for_head: VecDeque<Stream>,
    pub(crate) for_parts: BTreeMap<Position, Vec<(Stream, Party)>>,
    pub(crate) len: usize,
    pub(crate) shares: Shares,
    /// Places where reading failed, until it is tried again.
    pub(crate) suspended: BTreeSet<Position>,
}

impl Waiters {
    pub(crate) fn add_for_part(&mut self, stream: Stream, party: Party, after: Position) {
        self.len += 1;
        self.for_parts
            .entry(after)
            .or_default()
            .push((stream, party));
        if !self.suspended.contains(&after) {
            self.shares.add(party, after);
        }
    }

    pub(crate) fn pop_for_head(&mut self) -> Option<Stream> {
        let stream = self.for_head.pop_front()?;
        self.len -= 1;
        Some(stream)
    }

    /// One that waits for what follows a position of a range, the lowest first.
    pub(crate) fn pop_for_part(
        &mut self,
        within: &(impl RangeBounds<Position> + Clone),
    ) -> Option<(Position, Stream)> {
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

    /// Leaves a place out of the turns.
    pub(crate) fn suspend(&mut self, after: Position) {
        if self.suspended.insert(after) {
            let parties = self.for_parts.get(&after).into_iter().flatten();
            parties.for_each(|(_, party)| self.shares.remove(*party, after));
        }
    }

    /// Gives a place its turns again.
    pub(crate) fn resume(&mut self, after: Position) {
        if self.suspended.remove(&after) {
            let parties = self.for_parts.get(&after).into_iter().flatten();
            parties.for_each(|(_, party)| self.shares.add(*party, after));
        }
    }

    pub(crate) fn retain(&mut self, is_there: impl Fn(&Stream) -> bool) {
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
