//! An index of the records of each target, built when a returning client needs it.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use hashbrown::HashTable;

use crate::{id::target::Target, slab::ChunkedSlab};

/// Number of tables. A table that grows moves all of its entries under the manager's lock, so the
/// index has many small tables instead of one large table.
const TABLES: usize = 1024;

/// The key of a target in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TargetKey<'a> {
    pub(crate) kind: TargetKind,
    pub(crate) name: &'a [u8],
}

/// The kind of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TargetKind {
    All,
    User,
    Topic,
    /// One client, which has disconnected. Nobody asks for its records.
    Client,
}

impl<'a> From<&'a Target> for TargetKey<'a> {
    fn from(target: &'a Target) -> Self {
        let (kind, name) = match target {
            Target::All => (TargetKind::All, ""),
            Target::User(user) => (TargetKind::User, user.as_str()),
            Target::Topic(topic) => (TargetKind::Topic, topic.as_str()),
            Target::Client(_) => (TargetKind::Client, ""),
        };
        Self {
            kind,
            name: name.as_bytes(),
        }
    }
}

/// The numbers of the records of each target, for a run of records without holes.
///
/// The index is built for returning clients, not when an event is published, because most events
/// are never requested again. The first returning client indexes the records that were added since
/// the last update. All other clients use the result.
#[derive(Debug, Default)]
pub(crate) struct TargetIndex {
    /// Tables of lists by key. Empty until the first record.
    by_key: Box<[HashTable<u32>]>,
    lists: ChunkedSlab<TargetRecords>,
    hasher: RandomState,
    /// List of each record, in order.
    order: VecDeque<u32>,
    /// Number of the first record.
    first: u64,
}

#[derive(Debug)]
struct TargetRecords {
    kind: TargetKind,
    name: Box<[u8]>,
    numbers: VecDeque<u64>,
}

impl TargetRecords {
    fn key(&self) -> TargetKey<'_> {
        TargetKey {
            kind: self.kind,
            name: &self.name,
        }
    }
}

impl TargetIndex {
    /// Returns the number of the first record.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number after that of the last record.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.order.len() as u64
    }

    /// Sets the number of the first record if the index is empty.
    pub(crate) fn begin(&mut self, at: u64) {
        if self.order.is_empty() {
            self.first = at;
        }
    }

    /// Adds the record after the last.
    pub(crate) fn push_back(&mut self, key: TargetKey<'_>) {
        let number = self.next();
        if let Some(list) = self.list(key, |numbers| numbers.push_back(number)) {
            self.order.push_back(list);
        }
    }

    /// Adds the record before the first.
    pub(crate) fn push_front(&mut self, key: TargetKey<'_>) {
        let number = self.first - 1;
        if let Some(list) = self.list(key, |numbers| numbers.push_front(number)) {
            self.order.push_front(list);
            self.first = number;
        }
    }

    /// Removes records before a number, at most `most` of them. Returns `true` if no record before
    /// the number is left.
    pub(crate) fn forget(&mut self, before: u64, most: usize) -> bool {
        for _ in 0..most {
            if self.first >= before {
                return true;
            }
            let Some(list) = self.order.pop_front() else {
                return true;
            };
            self.first += 1;
            self.forget_first_of(list);
        }
        self.first >= before
    }

    /// Returns the records for a target with numbers in `from..until`, in order.
    pub(crate) fn numbers(
        &self,
        key: TargetKey<'_>,
        from: u64,
        until: u64,
    ) -> impl Iterator<Item = u64> {
        let numbers = self
            .find(key)
            .and_then(|(_, list)| self.lists.get(list))
            .map(|list| &list.numbers);
        let start = numbers.map_or(0, |numbers| {
            numbers.partition_point(|number| *number < from)
        });
        let numbers = numbers
            .into_iter()
            .flat_map(move |numbers| numbers.range(start..));
        numbers.copied().take_while(move |number| *number < until)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn find(&self, key: TargetKey<'_>) -> Option<(u64, u32)> {
        let hash = self.hasher.hash_one(key);
        let table = self.by_key.get(table_of(hash))?;
        let is_it = |list: &u32| self.lists.get(*list).is_some_and(|list| list.key() == key);
        table.find(hash, is_it).map(|list| (hash, *list))
    }

    /// Changes the list of a target, and creates the list if it does not exist. Returns `None` if
    /// no further list can be created.
    fn list(&mut self, key: TargetKey<'_>, change: impl FnOnce(&mut VecDeque<u64>)) -> Option<u32> {
        let at = match self.find(key) {
            Some((_, list)) => list,
            None => self.make(key)?,
        };
        change(&mut self.lists.get_mut(at)?.numbers);
        Some(at)
    }

    fn make(&mut self, key: TargetKey<'_>) -> Option<u32> {
        if self.by_key.is_empty() {
            self.by_key = (0..TABLES).map(|_| HashTable::new()).collect();
        }
        let list = TargetRecords {
            kind: key.kind,
            name: key.name.into(),
            numbers: VecDeque::new(),
        };
        let at = self.lists.insert_with(|_| list)?;
        let hash = self.hasher.hash_one(key);
        let (lists, hasher) = (&self.lists, &self.hasher);
        let rehash = |at: &u32| lists.get(*at).map_or(0, |list| hasher.hash_one(list.key()));
        self.by_key[table_of(hash)].insert_unique(hash, at, rehash);
        Some(at)
    }

    fn forget_first_of(&mut self, at: u32) {
        let Some(list) = self.lists.get_mut(at) else {
            return;
        };
        let numbers = &mut list.numbers;
        numbers.pop_front();
        if numbers.is_empty() {
            self.forget_list(at);
        } else if numbers.len() * 4 < numbers.capacity() {
            numbers.shrink_to(numbers.len() * 2);
        }
    }

    fn forget_list(&mut self, at: u32) {
        let Some(list) = self.lists.remove(at) else {
            return;
        };
        let hash = self.hasher.hash_one(list.key());
        let table = &mut self.by_key[table_of(hash)];
        if let Ok(entry) = table.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        if table.len() * 8 < table.capacity() {
            let (lists, hasher) = (&self.lists, &self.hasher);
            table.shrink_to(0, |at| {
                lists.get(*at).map_or(0, |list| hasher.hash_one(list.key()))
            });
        }
    }
}

/// Returns the table for a hash. hashbrown uses the lowest and the highest bits; these are the bits
/// between them.
fn table_of(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn key(name: &str) -> TargetKey<'_> {
        TargetKey {
            kind: TargetKind::Topic,
            name: name.as_bytes(),
        }
    }

    fn numbers(index: &TargetIndex, name: &str) -> Vec<u64> {
        index.numbers(key(name), 0, u64::MAX).collect()
    }

    #[test]
    fn index_grows_at_both_ends_and_trims_the_front() {
        let mut index = TargetIndex::default();
        index.begin(10);
        ["a", "b", "a"]
            .iter()
            .for_each(|name| index.push_back(key(name)));
        ["b", "a"]
            .iter()
            .for_each(|name| index.push_front(key(name)));
        assert_eq!((index.first(), index.next()), (8, 13));
        assert_eq!(
            (numbers(&index, "a"), numbers(&index, "b")),
            (vec![8, 10, 12], vec![9, 11])
        );
        assert_eq!(index.numbers(key("a"), 9, 12).collect::<Vec<_>>(), [10]);
        assert_eq!(
            index
                .numbers(
                    TargetKey {
                        kind: TargetKind::User,
                        ..key("a")
                    },
                    0,
                    99
                )
                .count(),
            0
        );

        assert!(!index.forget(12, 3));
        assert!(index.forget(12, 3));
        assert_eq!(
            (numbers(&index, "a"), numbers(&index, "b")),
            (vec![12], vec![])
        );
        assert!(index.forget(99, 3));
        assert_eq!((index.len(), index.lists.len()), (0, 0));
        assert!(index.by_key.iter().all(HashTable::is_empty));
    }
}
