//! The part of the log that this node holds in memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    client_id::ClientId,
    cursor::{Cursor, Epoch, Position},
    message::Message,
    retention::Retention,
    target::Target,
};

/// What a record takes besides its message: itself, its place among those of its target, and what allocations cost.
const RECORD_BYTES: usize = 320;

/// So many records are forgotten for each that comes, so that no publish pays for all that grew old in a quiet hour.
const FORGOTTEN_AT_ONCE: usize = 8;

/// A logged event.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) position: Position,
    pub(crate) target: Target,
    pub(crate) except: Box<[ClientId]>,
    pub(crate) message: Arc<Message>,
    /// When it came, by the uptime of the manager.
    pub(crate) at_ms: u64,
}

/// The latest entries of the log, numbered without holes, and which of them are for which target. Whoever missed a hundred of its events
/// finds them without a look at the others.
#[derive(Debug)]
pub(crate) struct Window {
    epoch: Epoch,
    retention: Retention,
    records: VecDeque<Record>,
    /// The number of the first record.
    first: u64,
    by_target: HashMap<Target, VecDeque<u64>>,
    bytes: usize,
    /// Everything up to here is not held.
    forgotten: Position,
    head: Position,
}

impl Record {
    /// What it takes in memory, with all that is held for it.
    pub(crate) fn bytes(&self) -> usize {
        RECORD_BYTES + self.message.plain().chunk().len() + 16 * self.except.len()
    }
}

impl Window {
    pub(crate) fn new(epoch: Epoch, head: Position, retention: Retention) -> Self {
        Self {
            epoch,
            retention,
            records: VecDeque::new(),
            first: 0,
            by_target: HashMap::new(),
            bytes: 0,
            forgotten: head,
            head,
        }
    }

    pub(crate) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Where the last entry stands.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    pub(crate) fn head_cursor(&self) -> Cursor {
        Cursor::new(self.epoch.clone(), self.head)
    }

    /// Everything up to here is not held.
    pub(crate) fn forgotten(&self) -> Position {
        self.forgotten
    }

    /// The number of the first record that is held.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next record gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Record> {
        let at = number.checked_sub(self.first)?;
        self.records.get(usize::try_from(at).ok()?)
    }

    /// The number of the first record behind a position.
    pub(crate) fn number_behind(&self, position: Position) -> u64 {
        self.first + self.records.partition_point(|record| record.position <= position) as u64
    }

    /// Records for a target that have numbers in `from..until`, in order.
    pub(crate) fn numbers(&self, target: &Target, from: u64, until: u64) -> impl Iterator<Item = u64> {
        let numbers = self.by_target.get(target);
        let start = numbers.map_or(0, |numbers| numbers.partition_point(|number| *number < from));
        let numbers = numbers.into_iter().flat_map(move |numbers| numbers.range(start..));
        numbers.copied().take_while(move |number| *number < until)
    }

    /// Appends the next entry of the log, and forgets what is beyond the retention.
    pub(crate) fn push(&mut self, record: Record) {
        self.head = record.position;
        self.bytes += record.bytes();
        let number = self.next();
        match self.by_target.get_mut(&record.target) {
            Some(numbers) => numbers.push_back(number),
            None => drop(self.by_target.insert(record.target.clone(), VecDeque::from([number]))),
        }
        let now_ms = record.at_ms;
        self.records.push_back(record);
        self.forget_old(now_ms);
    }

    /// Passes an entry of the log that is none of ours.
    pub(crate) fn pass(&mut self, position: Position) {
        self.head = position;
    }

    /// Forgets some of what is beyond the retention; `true` when nothing is left beyond it.
    pub(crate) fn forget_old(&mut self, now_ms: u64) -> bool {
        let age =
            u64::try_from(self.retention.age.max(Duration::from_millis(1)).as_millis()).unwrap_or(u64::MAX);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(oldest) = self.records.front() else { return true };
            let keeps = self.records.len() <= self.retention.entries
                && self.bytes as u64 <= self.retention.bytes
                && now_ms.saturating_sub(oldest.at_ms) < age;
            if keeps {
                return true;
            }
            self.forget_first();
        }
        false
    }

    /// Forgets everything: the log is another one, or goes on behind a hole.
    pub(crate) fn restart(&mut self, at: Cursor) {
        self.first = self.next();
        self.records = VecDeque::new();
        self.by_target = HashMap::new();
        self.bytes = 0;
        self.epoch = at.epoch;
        (self.forgotten, self.head) = (at.position, at.position);
    }

    fn forget_first(&mut self) {
        let Some(record) = self.records.pop_front() else { return };
        self.forgotten = record.position;
        self.bytes -= record.bytes();
        self.first += 1;
        if let Some(numbers) = self.by_target.get_mut(&record.target) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.by_target.remove(&record.target);
            } else if numbers.len() * 4 < numbers.capacity() {
                numbers.shrink_to(numbers.len() * 2);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Event, Topic, message::Mark};

    fn window(retention: Retention) -> Window {
        Window::new(Epoch::new("e").expect("an epoch"), Position::ZERO, retention)
    }

    fn topic(name: &str) -> Target {
        Target::Topic(Topic::new(name).expect("a name"))
    }

    fn push(window: &mut Window, target: Target, at_ms: u64) {
        let position = Position::from(window.next() + 1);
        let message = Arc::new(Message::new(Event::text("x"), None, Mark::Logged(position)));
        window.push(Record { position, target, except: Box::default(), message, at_ms });
    }

    #[test]
    fn each_target_finds_its_own() {
        let mut window = window(Retention::default());
        ["a", "b", "a", "c", "a"].iter().for_each(|name| push(&mut window, topic(name), 0));
        assert_eq!(window.numbers(&topic("a"), 0, u64::MAX).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(window.numbers(&topic("a"), 1, 4).collect::<Vec<_>>(), [2]);
        assert_eq!(window.numbers(&topic("d"), 0, 9).count(), 0);
        assert_eq!(window.number_behind(Position::from(2)), 2);
    }

    #[test]
    fn retention_holds_by_count_bytes_and_age() {
        let mut few = window(Retention::default().entries(2));
        (0..5).for_each(|_| push(&mut few, Target::All, 0));
        assert_eq!((few.len(), few.first(), few.forgotten()), (2, 3, Position::from(3)));
        assert_eq!(few.numbers(&Target::All, 0, 9).collect::<Vec<_>>(), [3, 4]);

        let mut small = window(Retention::default().bytes(1024));
        (0..50).for_each(|_| push(&mut small, Target::All, 0));
        assert!(small.bytes() <= 1024 && small.len() >= 2, "{small:?}");

        let mut young = window(Retention::default().age(Duration::from_secs(10)));
        (0..20).for_each(|at| push(&mut young, Target::All, at * 1000));
        assert_eq!(young.len(), 10);
        while !young.forget_old(1_000_000) {}
        assert_eq!((young.len(), young.bytes()), (0, 0));
        assert!(young.by_target.is_empty());
        assert_eq!(young.forgotten(), young.head());
    }

    #[test]
    fn numbers_go_on_after_another_log() {
        let mut window = window(Retention::default());
        (0..3).for_each(|_| push(&mut window, Target::All, 0));
        let epoch = Epoch::new("f").unwrap();
        window.restart(Cursor::new(epoch.clone(), Position::from(100)));
        assert_eq!((window.next(), window.len(), window.bytes()), (3, 0, 0));
        assert_eq!(window.head_cursor(), Cursor::new(epoch, Position::from(100)));
        assert_eq!(window.numbers(&Target::All, 0, 9).count(), 0);
    }
}
