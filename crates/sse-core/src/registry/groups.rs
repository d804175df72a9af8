//! Groups of streams: by user, topic or address.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;

use crate::{
    registry::{
        group::{Group, GroupKind},
        membership::Membership,
        user_changes::Changed,
    },
    slab::ChunkedSlab,
};

/// Number of hash tables. Many small tables replace one large table, because a table that grows
/// moves all its entries under the manager's lock.
const TABLES: usize = 4096;

/// The position from which to search for the next user, and the user that was found, if any: its
/// name and its number of streams.
pub(crate) type UserFound<'a> = (u32, Option<(&'a Arc<str>, usize)>);

/// The groups that have at least one member.
#[derive(Debug)]
pub(crate) struct Groups {
    by_name: Box<[HashTable<u32>]>,
    groups: ChunkedSlab<Group>,
    hasher: RandomState,
    users: usize,
    /// Watches for changes in the number of a user's streams.
    pub(crate) watches: Vec<Changed>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            by_name: (0..TABLES).map(|_| HashTable::new()).collect(),
            groups: ChunkedSlab::default(),
            hasher: RandomState::new(),
            users: 0,
            watches: Vec::new(),
        }
    }
}

impl Groups {
    /// Returns the number of users.
    pub(crate) fn users(&self) -> usize {
        self.users
    }

    pub(crate) fn get(&self, group: u32) -> Option<&Group> {
        self.groups.get(group)
    }

    pub(crate) fn find(&self, kind: GroupKind, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((kind, name));
        let is_it = |key: &u32| called(&self.groups, *key) == Some((kind, name));
        self.by_name[table_of(hash)].find(hash, is_it).copied()
    }

    pub(crate) fn members(&self, group: u32) -> &[u32] {
        self.groups.get(group).map_or(&[], Group::members)
    }

    /// Checks the next group from a position on. A user keeps its position while it has streams.
    pub(crate) fn user_from(&self, from: u32) -> Option<UserFound<'_>> {
        let key = self.groups.next_key(from)?;
        let group = self.groups.get(key)?;
        let user = (group.kind == GroupKind::User).then(|| (&group.name, group.members().len()));
        Some((key + 1, user))
    }

    /// Adds a member that is not in the group yet. Returns `None` if no further group can be
    /// created.
    pub(crate) fn add(
        &mut self,
        kind: GroupKind,
        name: &Arc<str>,
        member: u32,
    ) -> Option<Membership> {
        let group = match self.find(kind, name) {
            Some(group) => {
                self.groups.get_mut(group)?.push(member);
                group
            }
            None => self.insert(Group::new(kind, Arc::clone(name), member))?,
        };
        note(&mut self.watches, kind, name);
        let position = u32::try_from(self.members(group).len() - 1).ok()?;
        Some(Membership { group, position })
    }

    /// Removes a member. Returns the member that took its position, if any.
    pub(crate) fn remove(&mut self, membership: Membership) -> Option<u32> {
        let position = membership.position as usize;
        let group = self.groups.get_mut(membership.group)?;
        note(&mut self.watches, group.kind, &group.name);
        if group.remove(position) {
            return group.members().get(position).copied();
        }
        self.drop_group(membership.group);
        None
    }

    fn insert(&mut self, group: Group) -> Option<u32> {
        let (kind, hash) = (group.kind, self.hasher.hash_one((group.kind, &*group.name)));
        let key = self.groups.insert_with(|_| group)?;
        let (groups, hasher) = (&self.groups, &self.hasher);
        let rehash = |key: &u32| hash_of(hasher, groups, *key);
        self.by_name[table_of(hash)].insert_unique(hash, key, rehash);
        self.users += usize::from(kind == GroupKind::User);
        Some(key)
    }

    fn drop_group(&mut self, key: u32) {
        let Some(group) = self.groups.remove(key) else {
            return;
        };
        let hash = self.hasher.hash_one((group.kind, &*group.name));
        let table = &mut self.by_name[table_of(hash)];
        if let Ok(entry) = table.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
        if table.len() * 8 < table.capacity() {
            let (groups, hasher) = (&self.groups, &self.hasher);
            table.shrink_to(0, |key| hash_of(hasher, groups, *key));
        }
        self.users -= usize::from(group.kind == GroupKind::User);
    }
}

/// Returns the kind and the name of a group.
fn called(groups: &ChunkedSlab<Group>, key: u32) -> Option<(GroupKind, &str)> {
    groups.get(key).map(|group| (group.kind, &*group.name))
}

fn hash_of(hasher: &RandomState, groups: &ChunkedSlab<Group>, key: u32) -> u64 {
    called(groups, key).map_or(0, |called| hasher.hash_one(called))
}

fn note(watches: &mut [Changed], kind: GroupKind, name: &Arc<str>) {
    if kind == GroupKind::User {
        watches.iter_mut().for_each(|watch| watch.note(name));
    }
}

/// Returns the table for a hash. hashbrown uses the lowest and the highest bits; these bits are in
/// between.
fn table_of(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}
