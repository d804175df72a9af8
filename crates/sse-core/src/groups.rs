//! Which streams belong to a user, a topic or an address.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::{table::Table, user_watch::Changed};

/// So many small tables instead of a large one, since a table that grows moves everything in it under the manager's lock.
const TABLES: usize = 4096;

/// What streams are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupKind {
    User,
    Topic,
    Address,
}

/// Streams with something in common.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: GroupKind,
    pub(crate) name: Arc<str>,
    /// Places in the table of streams, in no order.
    pub(crate) members: SmallVec<[u32; 4]>,
}

/// A stream's place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: u32,
    pub(crate) position: u32,
}

/// All groups with at least one member.
#[derive(Debug)]
pub(crate) struct Groups {
    by_name: Box<[HashTable<u32>]>,
    groups: Table<Group>,
    hasher: RandomState,
    users: usize,
    /// Who wants to know which users' members change in number.
    pub(crate) watches: Vec<Changed>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            by_name: (0..TABLES).map(|_| HashTable::new()).collect(),
            groups: Table::default(),
            hasher: RandomState::new(),
            users: 0,
            watches: Vec::new(),
        }
    }
}

impl Groups {
    /// How many users there are.
    pub(crate) fn users(&self) -> usize {
        self.users
    }

    pub(crate) fn get(&self, group: u32) -> Option<&Group> {
        self.groups.get(group)
    }

    pub(crate) fn next_key(&self, from: u32) -> Option<u32> {
        self.groups.next_key(from)
    }

    pub(crate) fn find(&self, kind: GroupKind, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((kind, name));
        let is_it =
            |group: &u32| self.groups.get(*group).is_some_and(|it| it.kind == kind && &*it.name == name);
        self.by_name[table_of(hash)].find(hash, is_it).copied()
    }

    pub(crate) fn members(&self, kind: GroupKind, name: &str) -> &[u32] {
        let group = self.find(kind, name).and_then(|group| self.groups.get(group));
        group.map_or(&[], |group| &group.members)
    }

    /// The name as the group holds it, so that streams of one user share the text.
    pub(crate) fn shared_name(&self, kind: GroupKind, name: &Arc<str>) -> Arc<str> {
        let group = self.find(kind, name).and_then(|group| self.groups.get(group));
        Arc::clone(group.map_or(name, |group| &group.name))
    }

    /// Adds a member, which is not in the group yet; `None` when no group can be made any more.
    pub(crate) fn add(&mut self, kind: GroupKind, name: &Arc<str>, member: u32) -> Option<Membership> {
        let key = match self.find(kind, name) {
            Some(key) => key,
            None => self.make(kind, name)?,
        };
        let group = self.groups.get_mut(key)?;
        let position = u32::try_from(group.members.len()).ok()?;
        group.members.push(member);
        note(&mut self.watches, group);
        Some(Membership { group: key, position })
    }

    /// Removes a member. Gives the one that took its position, if one did.
    pub(crate) fn remove(&mut self, membership: Membership) -> Option<u32> {
        let group = self.groups.get_mut(membership.group)?;
        group.members.swap_remove(membership.position as usize);
        note(&mut self.watches, group);
        let moved = group.members.get(membership.position as usize).copied();
        if group.members.is_empty() {
            self.forget(membership.group);
        } else if group.members.spilled() && group.members.len() * 4 < group.members.capacity() {
            group.members.shrink_to_fit();
        }
        moved
    }

    fn make(&mut self, kind: GroupKind, name: &Arc<str>) -> Option<u32> {
        let group = Group { kind, name: Arc::clone(name), members: SmallVec::new() };
        let key = self.groups.insert_with(|_| group)?;
        let hash = self.hasher.hash_one((kind, &**name));
        let (groups, hasher) = (&self.groups, &self.hasher);
        let rehash =
            |key: &u32| groups.get(*key).map_or(0, |group| hasher.hash_one((group.kind, &*group.name)));
        self.by_name[table_of(hash)].insert_unique(hash, key, rehash);
        self.users += usize::from(kind == GroupKind::User);
        Some(key)
    }

    fn forget(&mut self, key: u32) {
        let Some(group) = self.groups.remove(key) else { return };
        let hash = self.hasher.hash_one((group.kind, &*group.name));
        let table = &mut self.by_name[table_of(hash)];
        if let Ok(entry) = table.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
        if table.len() * 8 < table.capacity() {
            let (groups, hasher) = (&self.groups, &self.hasher);
            table.shrink_to(0, |key| {
                groups.get(*key).map_or(0, |group| hasher.hash_one((group.kind, &*group.name)))
            });
        }
        self.users -= usize::from(group.kind == GroupKind::User);
    }
}

fn note(watches: &mut [Changed], group: &Group) {
    if group.kind == GroupKind::User {
        watches.iter_mut().for_each(|watch| watch.note(&group.name));
    }
}

/// hashbrown uses the lowest and the highest bits; these are between them.
fn table_of(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}
