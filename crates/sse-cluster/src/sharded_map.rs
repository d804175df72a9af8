//! A map for a very large number of users.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use sse_core::UserId;

/// Number of shards. Growing a small map moves fewer entries than growing a large one. The maps can
/// also be traversed one by one, so that a shared lock is held only briefly.
pub(crate) const SHARDS: usize = 256;

/// A map for a very large number of users.
#[derive(Debug)]
pub(crate) struct ShardedMap<V> {
    shards: Box<[HashMap<UserId, V>]>,
    hasher: RandomState,
    len: usize,
}

impl<V> Default for ShardedMap<V> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::new()).collect();
        Self {
            shards,
            hasher: RandomState::new(),
            len: 0,
        }
    }
}

impl<V> ShardedMap<V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, user: &UserId) -> Option<&V> {
        self.shards[self.shard_of(user)].get(user)
    }

    pub(crate) fn get_mut(&mut self, user: &UserId) -> Option<&mut V> {
        let shard = self.shard_of(user);
        self.shards[shard].get_mut(user)
    }

    pub(crate) fn insert(&mut self, user: UserId, value: V) -> Option<V> {
        let shard = self.shard_of(&user);
        let before = self.shards[shard].insert(user, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, user: &UserId) -> Option<V> {
        let shard = self.shard_of(user);
        let map = &mut self.shards[shard];
        let value = map.remove(user)?;
        if map.len() * 8 < map.capacity() {
            map.shrink_to_fit();
        }
        self.len -= 1;
        Some(value)
    }

    /// Returns the entries of a shard.
    pub(crate) fn shard(&self, shard: usize) -> impl Iterator<Item = (&UserId, &V)> {
        self.shards[shard].iter()
    }

    /// Removes the entries of a shard that match a predicate, and returns them.
    pub(crate) fn extract(
        &mut self,
        shard: usize,
        mut rule: impl FnMut(&V) -> bool,
    ) -> Vec<(UserId, V)> {
        let taken: Vec<_> = self.shards[shard]
            .extract_if(|_, value| rule(value))
            .collect();
        self.len -= taken.len();
        taken
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the lowest bits are used"
    )]
    fn shard_of(&self, user: &UserId) -> usize {
        self.hasher.hash_one(user) as usize % SHARDS
    }
}
