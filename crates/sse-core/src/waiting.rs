//! Streams that catch up and wait for the log.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    client_id::ClientId,
    cursor::{Cursor, Position},
    delivery::Hold,
    order::Order,
    registry::Registry,
};

/// So many streams are woken while the manager's lock is held once.
const WOKEN_AT_ONCE: usize = 256;

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
pub(crate) struct Waiting {
    for_head: VecDeque<Stream>,
    for_parts: BTreeMap<Position, Vec<Stream>>,
    len: usize,
}

impl Waiting {
    fn add(&mut self, stream: Stream, waits_for: WaitsFor) {
        self.len += 1;
        match waits_for {
            WaitsFor::Head => self.for_head.push_back(stream),
            WaitsFor::Part(after) => self.for_parts.entry(after).or_default().push(stream),
        }
    }

    fn pop_for_head(&mut self) -> Option<Stream> {
        let stream = self.for_head.pop_front()?;
        self.len -= 1;
        Some(stream)
    }

    /// One that waits for what follows a position before `until`, the lowest first.
    fn pop_for_part(&mut self, until: Option<Position>) -> Option<(Position, Stream)> {
        let mut first = self.for_parts.first_entry()?;
        let after = *first.key();
        if until.is_some_and(|until| after >= until) {
            return None;
        }
        let stream = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        self.len -= 1;
        Some((after, stream?))
    }

    /// The lowest position that somebody waits for what follows, and one who does.
    fn first_part(&self) -> Option<(Position, Stream)> {
        let (after, streams) = self.for_parts.first_key_value()?;
        Some((*after, *streams.last()?))
    }

    fn retain(&mut self, is_there: impl Fn(&Stream) -> bool) {
        self.for_head.retain(&is_there);
        self.for_parts.retain(|_, streams| {
            streams.retain(&is_there);
            !streams.is_empty()
        });
        self.len = self.for_head.len() + self.for_parts.values().map(Vec::len).sum::<usize>();
    }
}

impl Order {
    /// Has a stream woken when there is what it waits for; `false` if the log is another one by now, so that it has to look again.
    pub(crate) fn wait_for_part(&mut self, stream: Stream, after: &Cursor) -> bool {
        if self.log.as_ref().is_some_and(|log| *log.window.epoch() != after.epoch) {
            return false;
        }
        self.enlist(stream, WaitsFor::Part(after.position));
        true
    }

    /// Puts a stream among those who are woken, unless it is there.
    pub(crate) fn enlist(&mut self, stream: Stream, waits_for: WaitsFor) {
        let streams = &self.registry.streams;
        let Some(log) = &mut self.log else { return };
        let Some(slot) = streams.get(stream.0).filter(|slot| slot.stream.id == stream.1) else { return };
        let mut state = slot.stream.queue.lock();
        let Some(catching) = state.catching() else { return };
        if catching.enlisted.replace(waits_for) == Some(waits_for) {
            return;
        }
        drop(state);
        if log.waiting.len >= 2 * streams.len() + 64 {
            let is_there =
                |(place, id): &Stream| streams.get(*place).is_some_and(|slot| slot.stream.id == *id);
            log.waiting.retain(is_there);
        }
        log.waiting.add(stream, waits_for);
    }

    /// The log has moved: wakes some of the streams that wait for that. Gives how many of so many are left.
    pub(crate) fn wake_for_head(&mut self, most: usize, hold: &mut Hold<'_>) -> usize {
        let Some(log) = &mut self.log else { return 0 };
        let mut left = most.min(log.waiting.for_head.len());
        for _ in 0..left.min(WOKEN_AT_ONCE) {
            left -= 1;
            if let Some(stream) = log.waiting.pop_for_head() {
                wake(&self.registry, stream, WaitsFor::Head, hold);
            }
        }
        left
    }

    /// Wakes some of the streams that wait for what follows positions before `until`, or any; `true` when there are no more.
    pub(crate) fn wake_for_parts(&mut self, until: Option<Position>, hold: &mut Hold<'_>) -> bool {
        let Some(log) = &mut self.log else { return true };
        for _ in 0..WOKEN_AT_ONCE {
            let Some((after, stream)) = log.waiting.pop_for_part(until) else { return true };
            wake(&self.registry, stream, WaitsFor::Part(after), hold);
        }
        false
    }

    /// Behind where the backplane is to be read next. What is there first comes first: others may be in the same part.
    pub(crate) fn wanted_part(&mut self, hold: &mut Hold<'_>) -> Option<Cursor> {
        let log = self.log.as_mut()?;
        while let Some((after, (place, id))) = log.waiting.first_part() {
            let cursor = Cursor::new(log.window.epoch().clone(), after);
            let slot = self.registry.streams.get(place).filter(|slot| slot.stream.id == id);
            let waits = slot.is_some_and(|slot| {
                let mut state = slot.stream.queue.lock();
                state.catching().is_some_and(|catching| *catching.given() == cursor)
            });
            if waits {
                return Some(cursor);
            }
            // It is gone, or elsewhere.
            if let Some((after, stream)) = log.waiting.pop_for_part(None) {
                wake(&self.registry, stream, WaitsFor::Part(after), hold);
            }
        }
        None
    }
}

/// Wakes a stream, if it is there and waits for this.
fn wake(registry: &Registry, (place, id): Stream, waits_for: WaitsFor, hold: &mut Hold<'_>) {
    let Some(slot) = registry.streams.get(place).filter(|slot| slot.stream.id == id) else { return };
    let mut state = slot.stream.queue.lock();
    let Some(catching) = state.catching().filter(|catching| catching.enlisted == Some(waits_for)) else {
        return;
    };
    (catching.enlisted, catching.waits) = (None, false);
    // It has its time from now on.
    state.took(0, hold.now);
    hold.out.wake_later(state.wake());
}
