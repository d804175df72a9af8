//! Streams that catch up and wait for the log.

use std::ops::RangeBounds;

use crate::{
    event::cursor::{Cursor, Position},
    log::{
        gap::GapReason,
        shares::{Party, Shares},
        waiters::{WaitingStream, WaitsFor},
    },
    registry::Registry,
    sequencer::{Sequencer, fanout::Tx},
    stream::shared::StreamState,
};

/// Maximum number of streams that are woken while the manager's lock is held once.
const WOKEN_AT_ONCE: usize = 256;

impl Sequencer {
    /// Registers a stream to be woken once the records after `after` are available. Returns `false`
    /// if the log was replaced in the meantime, so that the stream must check again.
    pub(crate) fn wait_for_part(&mut self, stream: WaitingStream, after: &Cursor) -> bool {
        if self
            .log
            .as_ref()
            .is_some_and(|log| *log.window.epoch() != after.epoch)
        {
            return false;
        }
        self.enlist(stream, WaitsFor::Part(after.position));
        true
    }

    /// Registers a stream to be woken, unless it is registered.
    pub(crate) fn enlist(&mut self, stream: WaitingStream, waits_for: WaitsFor) {
        let streams = &self.registry.streams;
        let Some(log) = &mut self.log else { return };
        let Some(slot) = streams
            .get(stream.0)
            .filter(|slot| slot.stream.id == stream.1)
        else {
            return;
        };
        let mut state = slot.stream.queue.lock();
        let Some(catching) = state.catching() else {
            return;
        };
        if catching.enlisted.replace(waits_for) == Some(waits_for) {
            return;
        }
        drop(state);
        if log.waiting.len >= 2 * streams.len() + 64 {
            let is_there = |(place, id): &WaitingStream| {
                streams
                    .get(*place)
                    .is_some_and(|slot| slot.stream.id == *id)
            };
            log.waiting.retain(is_there);
        }
        match waits_for {
            WaitsFor::Head => {
                log.waiting.len += 1;
                log.waiting.for_head.push_back(stream);
            }
            WaitsFor::Part(after) => {
                let party = party_of(&log.waiting.shares, &slot.stream);
                log.waiting.add_for_part(stream, party, after);
            }
        }
    }

    /// Wakes up to [`WOKEN_AT_ONCE`] streams that wait for the log to advance. Returns how many of
    /// `most` remain.
    pub(crate) fn wake_for_head(&mut self, most: usize, tx: &mut Tx<'_>) -> usize {
        let Some(log) = &mut self.log else { return 0 };
        let mut left = most.min(log.waiting.for_head.len());
        for _ in 0..left.min(WOKEN_AT_ONCE) {
            left -= 1;
            if let Some(stream) = log.waiting.pop_for_head() {
                wake(&self.registry, stream, WaitsFor::Head, tx);
            }
        }
        left
    }

    /// Wakes some of the streams that wait for records after positions within a range. Returns
    /// `true` if no streams remain.
    pub(crate) fn wake_for_parts(
        &mut self,
        within: &(impl RangeBounds<Position> + Clone),
        tx: &mut Tx<'_>,
    ) -> bool {
        let Some(log) = &mut self.log else {
            return true;
        };
        for _ in 0..WOKEN_AT_ONCE {
            let Some((after, stream)) = log.waiting.pop_for_part(within) else {
                return true;
            };
            wake(&self.registry, stream, WaitsFor::Part(after), tx);
        }
        false
    }

    /// Returns the party that is next to use the backplane, and the position to read after, among
    /// the positions for which `may_begin` allows a read.
    pub(crate) fn wanted_part(
        &mut self,
        may_begin: impl Fn(Position) -> bool,
        tx: &mut Tx<'_>,
    ) -> Option<(Party, Cursor)> {
        let log = self.log.as_mut()?;
        while let Some((party, after)) = log.waiting.shares.next(&may_begin) {
            let cursor = Cursor::new(log.window.epoch().clone(), after);
            let waits = |((place, id), _): &(WaitingStream, Party)| {
                let slot = self
                    .registry
                    .streams
                    .get(*place)
                    .filter(|slot| slot.stream.id == *id);
                slot.is_some_and(|slot| {
                    let mut state = slot.stream.queue.lock();
                    state
                        .catching()
                        .is_some_and(|catching| *catching.given() == cursor)
                })
            };
            let place = after..=after;
            while let Some(last) = log
                .waiting
                .for_parts
                .get(&after)
                .and_then(|streams| streams.last())
            {
                if waits(last) {
                    return Some((party, cursor));
                }
                // The stream has ended, or waits for something else.
                if let Some((after, stream)) = log.waiting.pop_for_part(&place) {
                    wake(&self.registry, stream, WaitsFor::Part(after), tx);
                }
            }
        }
        None
    }

    /// Resets the reads, because a new task reads from now on.
    pub(crate) fn begin_reading(&mut self) {
        let Some(log) = &mut self.log else { return };
        log.waiting.shares.end_all();
        for after in log.waiting.suspended.clone() {
            log.waiting.resume(after);
        }
    }

    /// Records the start of a read that a party has requested.
    pub(crate) fn begin_read(&mut self, party: Party, after: Position) {
        if let Some(log) = &mut self.log {
            log.waiting.shares.begin(party, after);
        }
    }

    /// Records the end of a party's read.
    pub(crate) fn end_read(&mut self, party: Party) {
        if let Some(log) = &mut self.log {
            log.waiting.shares.end(party);
        }
    }

    /// Records that the entries after a cursor, up to a position, are unreadable. Returns `false`
    /// if the damage was known, or the log was replaced in the meantime.
    pub(crate) fn note_damage(&mut self, after: &Cursor, to: Position) -> bool {
        let log = self
            .log
            .as_mut()
            .filter(|log| *log.window.epoch() == after.epoch);
        log.is_some_and(|log| log.note_damage(after.position, to))
    }

    /// Records that the entry after a cursor, at `position`, is unreadable. Returns `false` if the
    /// damage was known.
    pub(crate) fn note_unreadable(&mut self, after: &Cursor, position: Position) -> bool {
        let log = self
            .log
            .as_mut()
            .filter(|log| *log.window.epoch() == after.epoch);
        log.is_some_and(|log| {
            let is_news = log.note_damage(after.position, position);
            log.counts.unreadable += u64::from(is_news);
            log.counts.gaps[GapReason::Damaged as usize] += u64::from(is_news);
            is_news
        })
    }

    /// Excludes a position from reads until it is retried.
    pub(crate) fn suspend_part(&mut self, after: Position) {
        if let Some(log) = &mut self.log {
            log.waiting.suspend(after);
        }
    }

    /// Allows reads after a position again.
    pub(crate) fn resume_part(&mut self, after: Position) {
        if let Some(log) = &mut self.log {
            log.waiting.resume(after);
        }
    }

    /// Lets streams continue after a gap, at the start of the node's window, because the records
    /// after a position are unreadable.
    pub(crate) fn give_up_part(&mut self, after: &Cursor) {
        let Some(log) = &mut self.log else { return };
        if *log.window.epoch() != after.epoch {
            return;
        }
        log.counts.damaged += 1;
        let to = Cursor::new(after.epoch.clone(), log.window.forgotten());
        for ((place, id), _) in log
            .waiting
            .for_parts
            .get(&after.position)
            .into_iter()
            .flatten()
        {
            let Some(slot) = self
                .registry
                .streams
                .get(*place)
                .filter(|slot| slot.stream.id == *id)
            else {
                continue;
            };
            let mut state = slot.stream.queue.lock();
            if let Some(catching) = state
                .catching()
                .filter(|catching| catching.given() == after)
            {
                catching.lost(GapReason::Damaged, to.clone(), &log.window);
            }
        }
    }
}

/// Returns the party of a stream: its user, its anonymous address, or itself.
fn party_of(shares: &Shares, stream: &StreamState) -> Party {
    match (&stream.user, stream.address) {
        (Some(user), _) => shares.party(user),
        (None, Some(address)) => shares.party(Registry::address_name(address)),
        (None, None) => shares.party(stream.id),
    }
}

/// Wakes a stream if it still exists and waits for `waits_for`.
fn wake(registry: &Registry, (place, id): WaitingStream, waits_for: WaitsFor, tx: &mut Tx<'_>) {
    let Some(slot) = registry
        .streams
        .get(place)
        .filter(|slot| slot.stream.id == id)
    else {
        return;
    };
    let mut state = slot.stream.queue.lock();
    let Some(catching) = state
        .catching()
        .filter(|catching| catching.enlisted == Some(waits_for))
    else {
        return;
    };
    (catching.enlisted, catching.waits) = (None, false);
    // The stall timeout starts again.
    state.took(0, tx.now);
    tx.out.wake_later(state.wake());
}
