//! The part of the log that this node holds in memory.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    dialect::message::Message,
    event::cursor::{Cursor, Epoch, LogPosition, Position},
    id::{client_id::ClientId, target::Target},
    log::{
        block::{Block, RECORDS},
        records::{RecordRef, Records},
        retention::Retention,
        target_index::{TargetIndex, TargetKey},
    },
};

/// Maximum number of records that one publish forgets, so that no publish pays for all records that
/// expired in a quiet hour.
const FORGOTTEN_AT_ONCE: usize = 8;

/// Maximum number of records that are indexed, and maximum number that the index forgets, while the
/// manager's lock is held once.
pub(crate) const INDEXED_AT_ONCE: usize = 256;

/// Maximum number of earlier logs whose epochs are remembered.
const EPOCHS: usize = 16;

/// The latest entries of the log, numbered without holes, with an index by target. A client that
/// missed a hundred of its events finds them without a scan of all other records.
#[derive(Debug)]
pub(crate) struct Window {
    epoch: Epoch,
    /// Epochs of earlier logs, the latest last. Only the last [`EPOCHS`] are kept.
    epochs: VecDeque<Epoch>,
    /// Number of earlier logs. A log that has lost its end counts as another log, since it can
    /// assign the same positions again.
    log: u32,
    retention: Retention,
    age_ms: u64,
    /// Blocks of records. All but the last are full.
    blocks: VecDeque<Block>,
    /// Number of the first record of the first block. The record itself can be forgotten already.
    base: u64,
    /// Number of the first record that the window holds.
    first: u64,
    /// Number of the next record.
    next: u64,
    /// Block to be reused.
    spare: Option<Block>,
    index: TargetIndex,
    bytes: usize,
    /// Position up to which the window holds no entries.
    forgotten: Position,
    head: Position,
}

/// The former content of a window, to be dropped where no other task waits.
#[derive(Debug)]
#[must_use = "dropping it takes time, which others need not wait for"]
pub(crate) struct Discarded {
    _blocks: VecDeque<Block>,
    _index: TargetIndex,
}

impl Window {
    pub(crate) fn new(epoch: Epoch, head: Position, retention: Retention) -> Self {
        let age = retention.age.max(Duration::from_millis(1));
        Self {
            epoch,
            epochs: VecDeque::new(),
            log: 0,
            retention,
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            blocks: VecDeque::new(),
            base: 0,
            first: 0,
            next: 0,
            spare: None,
            index: TargetIndex::default(),
            bytes: 0,
            forgotten: head,
            head,
        }
    }

    pub(crate) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Returns the position of the last entry.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    pub(crate) fn head_cursor(&self) -> Cursor {
        Cursor::new(self.epoch.clone(), self.head)
    }

    /// Returns the number of the current log, which is the `log` of its places.
    pub(crate) fn log(&self) -> u32 {
        self.log
    }

    /// Returns the place of a position in the current log.
    pub(crate) fn place(&self, position: Position) -> LogPosition {
        LogPosition {
            log: self.log,
            position,
        }
    }

    /// Returns the cursor that clients have for a place, or `None` if the place is in a log that is
    /// no longer remembered.
    pub(crate) fn cursor_at(&self, place: LogPosition) -> Option<Cursor> {
        let epoch = match self.log.checked_sub(place.log)? {
            0 => &self.epoch,
            before => self
                .epochs
                .get(self.epochs.len().checked_sub(before as usize)?)?,
        };
        Some(Cursor::new(epoch.clone(), place.position))
    }

    /// Returns the position up to which the window holds no entries.
    pub(crate) fn forgotten(&self) -> Position {
        self.forgotten
    }

    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.next - self.first).unwrap_or(usize::MAX)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of the first record after a position.
    fn number_after(&self, position: Position) -> u64 {
        let blocks = self
            .blocks
            .partition_point(|block| block.last().is_some_and(|last| last <= position));
        let rest = self
            .blocks
            .get(blocks)
            .map_or(0, |block| block.up_to(position));
        (self.base + (blocks * RECORDS + rest) as u64).clamp(self.first, self.next)
    }

    /// Returns the position of the record before `position`, if `position` is between records and
    /// is not the position of any record. The current log never assigned such a position.
    pub(crate) fn before_foreign(&self, position: Position) -> Option<Position> {
        let number = self.number_after(position);
        if position >= self.head || number == self.first {
            return None;
        }
        self.before(number).filter(|before| *before != position)
    }

    /// Ensures that all records after a position are indexed, a limited number per call. Returns
    /// `true` once all of them are.
    pub(crate) fn index_after(&mut self, position: Position) -> bool {
        let from = self.number_after(position);
        if !self.index.forget(self.first, INDEXED_AT_ONCE) {
            return false;
        }
        self.index.begin(from);
        for _ in 0..INDEXED_AT_ONCE {
            let next = self.index.next();
            let number = if next < self.next {
                next
            } else {
                self.index.first().saturating_sub(1)
            };
            if next >= self.next && self.index.first() <= from {
                return true;
            }
            let Some((block, at)) = find(&self.blocks, self.base, number) else {
                return true;
            };
            let Some(key) = block.key(at) else {
                return true;
            };
            if number == next {
                self.index.push_back(key);
            } else {
                self.index.push_front(key);
            }
        }
        self.index.next() >= self.next && self.index.first() <= from
    }

    /// Appends the next entry of the log, and forgets entries beyond the retention. Returns the
    /// number of the entry. The caller must [keep](Self::keep) the message of an entry that is not
    /// packed.
    pub(crate) fn push(
        &mut self,
        position: Position,
        target: &Target,
        except: &[ClientId],
        message: &Message,
        at_ms: u64,
    ) -> u64 {
        let number = self.next;
        self.make_room();
        if let Some(block) = self.blocks.back_mut() {
            self.bytes += block.push(position, TargetKey::from(target), except, message, at_ms);
            self.next += 1;
        }
        self.head = position;
        self.forget_old(at_ms);
        number
    }

    /// Keeps the message of a record, if the window still holds the record.
    pub(crate) fn keep(&mut self, number: u64, message: Arc<Message>) {
        if number < self.first {
            return;
        }
        let (block, at) = place(self.base, number);
        if let Some(block) = self.blocks.get_mut(block) {
            block.keep(at, message);
        }
    }

    /// Forgets some of the records beyond the retention. Returns `true` if none is left beyond it.
    pub(crate) fn forget_old(&mut self, now_ms: u64) -> bool {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((block, at)) = self.find(self.first) else {
                return true;
            };
            let keeps = self.len() <= self.retention.entries
                && self.bytes as u64 <= self.retention.bytes
                && block
                    .at_ms(at)
                    .is_none_or(|at_ms| now_ms.saturating_sub(at_ms) < self.age_ms);
            if keeps {
                return true;
            }
            self.forget_first();
        }
        false
    }

    /// Forgets some of the records that expired while nothing was published, with their index
    /// entries. Returns `true` if none is left.
    pub(crate) fn tidy(&mut self, now_ms: u64) -> bool {
        let forgot = (0..INDEXED_AT_ONCE / FORGOTTEN_AT_ONCE).any(|_| self.forget_old(now_ms));
        self.index.forget(self.first, INDEXED_AT_ONCE) && forgot
    }

    /// Forgets everything, because the log was replaced, has lost its end, or continues after a
    /// hole. Returns the former content.
    pub(crate) fn restart(&mut self, at: Cursor) -> Discarded {
        (self.base, self.first) = (self.next, self.next);
        self.bytes = 0;
        if at.epoch != self.epoch || at.position < self.head {
            self.epochs
                .push_back(std::mem::replace(&mut self.epoch, at.epoch));
            if self.epochs.len() > EPOCHS {
                self.epochs.pop_front();
            }
            self.log = self.log.saturating_add(1);
        }
        (self.forgotten, self.head) = (at.position, at.position);
        Discarded {
            _blocks: std::mem::take(&mut self.blocks),
            _index: std::mem::take(&mut self.index),
        }
    }

    fn make_room(&mut self) {
        let block = match self.blocks.back() {
            Some(last) if !last.is_full() => return,
            Some(last) => self.spare.take().unwrap_or_else(|| Block::like(last)),
            None => self.spare.take().unwrap_or_default(),
        };
        self.blocks.push_back(block);
    }

    fn forget_first(&mut self) {
        let (block, at) = place(self.base, self.first);
        let Some(block) = self.blocks.get_mut(block) else {
            return;
        };
        let Some((position, bytes)) = block.forget(at) else {
            return;
        };
        self.forgotten = position;
        self.bytes -= bytes;
        self.first += 1;
        if at + 1 == RECORDS {
            self.base += RECORDS as u64;
            self.spare = self.blocks.pop_front().map(|mut block| {
                block.clear();
                block
            });
        }
    }

    fn find(&self, number: u64) -> Option<(&Block, usize)> {
        find(&self.blocks, self.base, number).filter(|_| (self.first..self.next).contains(&number))
    }
}

impl Records for Window {
    /// Only [indexed](Self::index_after) records are found.
    fn numbers(
        &self,
        target: &Target,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = u64> {
        let (from, until) = (self.number_after(after), self.number_after(up_to));
        self.index.numbers(TargetKey::from(target), from, until)
    }

    fn get(&self, number: u64) -> Option<RecordRef<'_>> {
        let (block, at) = self.find(number)?;
        block.get(at, self.log)
    }

    fn before(&self, number: u64) -> Option<Position> {
        let (block, at) = self.find(number.checked_sub(1)?)?;
        block.position(at)
    }
}

fn find(blocks: &VecDeque<Block>, base: u64, number: u64) -> Option<(&Block, usize)> {
    let (block, at) = place(base, number);
    Some((blocks.get(block)?, at))
}

/// Returns the index of the block that holds a record, and the record's index in the block.
fn place(base: u64, number: u64) -> (usize, usize) {
    let at = usize::try_from(number.wrapping_sub(base)).unwrap_or(usize::MAX);
    (at / RECORDS, at % RECORDS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{Event, EventType, Topic, event::cursor::Mark};

    fn window(retention: Retention) -> Window {
        Window::new(
            Epoch::new("e").expect("the epoch is valid"),
            Position::ZERO,
            retention,
        )
    }

    fn topic(name: &str) -> Target {
        Target::Topic(Topic::new(name).expect("the name is valid"))
    }

    fn push(window: &mut Window, target: &Target, at_ms: u64) {
        let position = Position::from(window.next + 1);
        let event = Event::text("x").with_id(Cursor::new(window.epoch().clone(), position).to_id());
        window.push(
            position,
            target,
            &[],
            &Message::new(event, None, Mark::Logged(window.place(position))),
            at_ms,
        );
    }

    #[test]
    fn each_target_finds_its_own_records() {
        let mut window = window(Retention::default());
        ["a", "b", "a", "c", "a"]
            .iter()
            .for_each(|name| push(&mut window, &topic(name), 0));
        assert!(window.index_after(2.into()));
        assert_eq!(
            window
                .numbers(&topic("a"), 0.into(), Position::MAX)
                .collect::<Vec<_>>(),
            [2, 4]
        );
        assert!(window.index_after(0.into()));
        assert_eq!(
            window
                .numbers(&topic("a"), 0.into(), Position::MAX)
                .collect::<Vec<_>>(),
            [0, 2, 4]
        );
        assert_eq!(
            window
                .numbers(&topic("a"), 1.into(), 4.into())
                .collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(window.numbers(&topic("d"), 0.into(), 9.into()).count(), 0);
        assert_eq!(window.number_after(Position::from(2)), 2);
    }

    #[test]
    fn retention_limits_count_bytes_and_age() {
        let mut few = window(Retention::default().entries(2));
        (0..5).for_each(|_| push(&mut few, &Target::All, 0));
        assert_eq!(
            (few.len(), few.first, few.forgotten()),
            (2, 3, Position::from(3))
        );
        assert!(few.index_after(0.into()));
        assert_eq!(
            few.numbers(&Target::All, 0.into(), 9.into())
                .collect::<Vec<_>>(),
            [3, 4]
        );

        let mut small = window(Retention::default().bytes(1024));
        (0..50).for_each(|_| push(&mut small, &Target::All, 0));
        assert!(small.bytes() <= 1024 && small.len() >= 2, "{small:?}");

        let mut young = window(Retention::default().age(Duration::from_secs(10)));
        (0..20).for_each(|at| push(&mut young, &Target::All, at * 1000));
        assert_eq!(young.len(), 10);
        assert!(young.index_after(0.into()));
        while !young.tidy(1_000_000) {}
        assert_eq!((young.len(), young.bytes(), young.index.len()), (0, 0, 0));
        assert_eq!(young.forgotten(), young.head());
    }

    #[test]
    fn packed_record_unpacks_unchanged() {
        let mut window = window(Retention::default());
        let long = "long ".repeat(1000);
        let events = [
            Event::text("x"),
            Event::json(&["a"])
                .unwrap()
                .with_event_type(EventType::from_static("numbers: all")),
            Event::text("two\nlines").with_event_type(EventType::NOTIFICATION),
            Event::empty().with_event_type(EventType::SYSTEM),
            Event::text(long.as_str()),
            Event::text("x")
                .with_comment("kept")
                .with_retry(Duration::from_secs(1)),
        ];
        for (number, event) in events.into_iter().enumerate() {
            let position = Position::from(number as u64 + 1);
            let event = event.with_id(Cursor::new(window.epoch().clone(), position).to_id());
            let message = Message::new(event, None, Mark::Logged(window.place(position)));
            let at = window.push(position, &topic("a"), &[], &message, 0);
            assert_eq!(message.packed().is_some(), number < 4);
            let message = Arc::new(message);
            if number >= 4 {
                assert!(
                    window.get(at).is_none(),
                    "the event is absent until it is kept"
                );
                window.keep(at, Arc::clone(&message));
            }
            let again = window.get(at).unwrap();
            assert_eq!(again.position, position);
            assert_eq!(again.message.plain().chunk(), message.plain().chunk());
            assert_eq!(again.message.plain().as_event(), message.plain().as_event());
            assert_eq!(again.message.plain().place(), Some(window.place(position)));
            assert_eq!(
                format!("{:?}", again.message.event()),
                format!("{:?}", message.event())
            );
            assert_eq!(again.message.event().is_json(), message.event().is_json());
            assert!(
                Arc::ptr_eq(window.get(at).unwrap().message, again.message),
                "the frame is created once"
            );
        }
    }

    /// Compares blocks and index with a list that is scanned in full.
    #[test]
    fn blocks_and_index_match_a_plain_list() {
        let mut random = StdRng::seed_from_u64(7);
        let mut window = window(Retention::default().entries(3 * RECORDS));
        let mut all = Vec::new();
        for _ in 0..20 * RECORDS {
            let name = ["a", "b", "c"][random.random_range(0..3)];
            all.push(name);
            push(&mut window, &topic(name), 0);
            if random.random_bool(0.05) {
                let from = random.random_range(0..=all.len() as u64).max(window.first);
                while !window.index_after(from.into()) {}
                let wanted =
                    (from..window.next).filter(|at| all[usize::try_from(*at).unwrap()] == "b");
                let found = window
                    .numbers(&topic("b"), from.into(), Position::MAX)
                    .collect::<Vec<_>>();
                assert_eq!(found, wanted.collect::<Vec<_>>());
                // Positions are numbers plus one.
                assert_eq!(window.number_after(from.into()), from);
                let is_held = from > window.first;
                assert_eq!(window.before(from), is_held.then(|| from.into()));
            }
        }
        assert_eq!((window.len(), window.blocks.len()), (3 * RECORDS, 3));
        assert!(window.index.len() <= 20 * RECORDS);
    }

    #[test]
    fn position_between_records_is_foreign() {
        let mut window = window(Retention::default().entries(3));
        for position in [10, 20, 30, 40] {
            let (at, target) = (Position::from(position), topic("a"));
            let event = Event::text("x").with_id(Cursor::new(window.epoch().clone(), at).to_id());
            let message = Message::new(event, None, Mark::Logged(window.place(at)));
            window.push(at, &target, &[], &message, 0);
        }
        for (position, before) in [
            (5, None),
            (10, None),
            (15, None),
            (20, None),
            (25, Some(20)),
            (30, None),
            (39, Some(30)),
            (40, None),
            (50, None),
        ] {
            assert_eq!(
                window.before_foreign(position.into()),
                before.map(Position::from),
                "{position}"
            );
        }
    }

    #[test]
    fn numbers_continue_after_another_log() {
        let mut window = window(Retention::default());
        (0..3).for_each(|_| push(&mut window, &Target::All, 0));
        let epoch = Epoch::new("f").unwrap();
        drop(window.restart(Cursor::new(epoch.clone(), Position::from(100))));
        assert_eq!((window.next, window.len(), window.bytes()), (3, 0, 0));
        assert_eq!(
            window.head_cursor(),
            Cursor::new(epoch, Position::from(100))
        );
        let place = window.place(Position::from(2));
        assert_eq!(window.cursor_at(place).unwrap().to_string(), "f-2");
        for number in 0..EPOCHS {
            let before = LogPosition { log: 0, ..place };
            assert_eq!(window.cursor_at(before).unwrap().to_string(), "e-2");
            let next = Epoch::new(format!("g{number}")).unwrap();
            drop(window.restart(Cursor::new(next, Position::ZERO)));
        }
        assert_eq!(
            window.cursor_at(LogPosition { log: 0, ..place }),
            None,
            "forgotten"
        );
        assert_eq!(window.cursor_at(place).unwrap().to_string(), "f-2");
        assert_eq!(window.numbers(&Target::All, 0.into(), 9.into()).count(), 0);
    }
}
