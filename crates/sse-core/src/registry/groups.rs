//! Groups of streams: by user, topic or address.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::{
    registry::{membership::GroupMembership, slot::Slot, user_changes::Changed},
    slab::ChunkedSlab,
};

/// Number of hash tables. Many small tables replace one large table, because a table that grows
/// moves all its entries under the manager's lock.
const TABLES: usize = 4096;

/// Flag in the key of a group. If set, no group exists; the other bits are the index of the user's
/// only stream. Most users have one stream, and a group would be an eighth of the memory that such
/// a user needs.
const ONLY: u32 = 1 << 31;

/// The property that the streams of a group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupKind {
    User,
    Topic,
    Address,
    /// The address of an anonymous stream.
    Anonymous,
}

/// Streams that share a property.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: GroupKind,
    pub(crate) name: Arc<str>,
    /// Indexes in the table of streams, in no particular order.
    pub(crate) members: SmallVec<[u32; 4]>,
}

/// The position from which to search for the next user, and the user that was found: its name and
/// its number of streams.
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

    /// Returns a group; `None` also for a user with one stream.
    pub(crate) fn get(&self, group: u32) -> Option<&Group> {
        self.groups.get(group)
    }

    pub(crate) fn find(
        &self,
        streams: &ChunkedSlab<Slot>,
        kind: GroupKind,
        name: &str,
    ) -> Option<u32> {
        let hash = self.hasher.hash_one((kind, name));
        let is_it = |key: &u32| is_called(&self.groups, streams, *key, (kind, name));
        self.by_name[table_of(hash)].find(hash, is_it).copied()
    }

    pub(crate) fn members<'a>(&'a self, streams: &'a ChunkedSlab<Slot>, group: u32) -> &'a [u32] {
        match only(group) {
            Some(place) => streams
                .get(place)
                .map_or(&[], |slot| std::slice::from_ref(&slot.stream.place)),
            None => self.groups.get(group).map_or(&[], |group| &group.members),
        }
    }

    /// Finds the next user from a position on. Users with one stream come first. A user that gets a
    /// second stream during the search is found twice instead of never.
    pub(crate) fn user_from<'a>(
        &'a self,
        streams: &'a ChunkedSlab<Slot>,
        from: u32,
    ) -> Option<UserFound<'a>> {
        if only(from).is_none()
            && let Some(place) = streams
                .next_key(from)
                .filter(|place| only(*place).is_none())
        {
            let slot = streams.get(place)?;
            let is_only = slot
                .memberships
                .iter()
                .any(|membership| membership.group == place | ONLY);
            let user = slot
                .stream
                .user
                .as_ref()
                .filter(|_| is_only)
                .map(|user| (user.text(), 1));
            return Some((place + 1, user));
        }
        let key = self.groups.next_key(only(from).unwrap_or(0))?;
        let user = self
            .groups
            .get(key)
            .filter(|group| group.kind == GroupKind::User);
        Some((
            (key + 1) | ONLY,
            user.map(|group| (&group.name, group.members.len())),
        ))
    }

    /// Adds a member that is not in the group yet. Returns `None` if no further group can be
    /// created.
    pub(crate) fn add(
        &mut self,
        streams: &mut ChunkedSlab<Slot>,
        kind: GroupKind,
        name: &Arc<str>,
        member: u32,
    ) -> Option<GroupMembership> {
        let key = match self.find(streams, kind, name) {
            None if is_called(&self.groups, streams, member | ONLY, (kind, name))
                && only(member).is_none() =>
            {
                self.call(streams, member | ONLY, (kind, name));
                note(&mut self.watches, kind, name);
                return Some(GroupMembership {
                    group: member | ONLY,
                    position: 0,
                });
            }
            None => {
                let key = self.make(kind, name)?;
                self.call(streams, key, (kind, name));
                key
            }
            Some(key) => match only(key) {
                Some(first) => self.widen(streams, key, first, name)?,
                None => key,
            },
        };
        let group = self.groups.get_mut(key)?;
        let position = u32::try_from(group.members.len()).ok()?;
        group.members.push(member);
        note(&mut self.watches, kind, name);
        Some(GroupMembership {
            group: key,
            position,
        })
    }

    /// Removes a member that is still among the streams. Returns the member that took its position,
    /// if any.
    pub(crate) fn remove(
        &mut self,
        streams: &ChunkedSlab<Slot>,
        membership: GroupMembership,
    ) -> Option<u32> {
        if let Some(place) = only(membership.group) {
            let name = streams.get(place)?.stream.user.as_ref()?.text();
            note(&mut self.watches, GroupKind::User, name);
            self.forget(streams, membership.group, (GroupKind::User, name));
            return None;
        }
        let group = self.groups.get_mut(membership.group)?;
        group.members.swap_remove(membership.position as usize);
        note(&mut self.watches, group.kind, &group.name);
        let moved = group.members.get(membership.position as usize).copied();
        if group.members.is_empty() {
            let group = self.groups.remove(membership.group)?;
            self.forget(streams, membership.group, (group.kind, &group.name));
        } else if group.members.spilled() && group.members.len() * 4 < group.members.capacity() {
            group.members.shrink_to_fit();
        }
        moved
    }

    /// Turns a user's only stream into a group, to which a second stream can be added.
    fn widen(
        &mut self,
        streams: &mut ChunkedSlab<Slot>,
        only: u32,
        first: u32,
        name: &Arc<str>,
    ) -> Option<u32> {
        let key = self.make(GroupKind::User, name)?;
        let hash = self.hasher.hash_one((GroupKind::User, &**name));
        if let Some(entry) = self.by_name[table_of(hash)].find_mut(hash, |other| *other == only) {
            *entry = key;
        }
        self.groups.get_mut(key)?.members.push(first);
        let memberships = &mut streams.get_mut(first)?.memberships;
        if let Some(held) = memberships.iter_mut().find(|held| held.group == only) {
            *held = GroupMembership {
                group: key,
                position: 0,
            };
        }
        Some(key)
    }

    fn make(&mut self, kind: GroupKind, name: &Arc<str>) -> Option<u32> {
        let group = Group {
            kind,
            name: Arc::clone(name),
            members: SmallVec::new(),
        };
        let key = self.groups.insert_with(|_| group)?;
        if only(key).is_some() {
            self.groups.remove(key);
            return None;
        }
        Some(key)
    }

    /// Adds a group to the index by name.
    fn call(&mut self, streams: &ChunkedSlab<Slot>, key: u32, called: (GroupKind, &str)) {
        let hash = self.hasher.hash_one(called);
        let (groups, hasher) = (&self.groups, &self.hasher);
        let rehash = |key: &u32| hash_of(hasher, groups, streams, *key);
        self.by_name[table_of(hash)].insert_unique(hash, key, rehash);
        self.users += usize::from(called.0 == GroupKind::User);
    }

    /// Removes a group from the index by name.
    fn forget(&mut self, streams: &ChunkedSlab<Slot>, key: u32, called: (GroupKind, &str)) {
        let hash = self.hasher.hash_one(called);
        let table = &mut self.by_name[table_of(hash)];
        if let Ok(entry) = table.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
        if table.len() * 8 < table.capacity() {
            let (groups, hasher) = (&self.groups, &self.hasher);
            table.shrink_to(0, |key| hash_of(hasher, groups, streams, *key));
        }
        self.users -= usize::from(called.0 == GroupKind::User);
    }
}

fn only(group: u32) -> Option<u32> {
    (group & ONLY != 0).then_some(group & !ONLY)
}

/// Returns the kind and the name of a group.
fn called<'a>(
    groups: &'a ChunkedSlab<Group>,
    streams: &'a ChunkedSlab<Slot>,
    key: u32,
) -> Option<(GroupKind, &'a str)> {
    match only(key) {
        Some(place) => Some((
            GroupKind::User,
            streams.get(place)?.stream.user.as_ref()?.as_str(),
        )),
        None => groups.get(key).map(|group| (group.kind, &*group.name)),
    }
}

fn is_called(
    groups: &ChunkedSlab<Group>,
    streams: &ChunkedSlab<Slot>,
    key: u32,
    name: (GroupKind, &str),
) -> bool {
    called(groups, streams, key) == Some(name)
}

fn hash_of(
    hasher: &RandomState,
    groups: &ChunkedSlab<Group>,
    streams: &ChunkedSlab<Slot>,
    key: u32,
) -> u64 {
    called(groups, streams, key).map_or(0, |called| hasher.hash_one(called))
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
