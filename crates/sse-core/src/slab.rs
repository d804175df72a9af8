//! A slab that grows and shrinks in chunks.

use std::collections::BTreeSet;

const CHUNK: usize = 256;
const WORDS: usize = CHUNK / 64;

/// A map from dense `u32` keys, which are reused after removal, to values.
///
/// The slab grows by one chunk of 256 entries at a time, so that an insertion never moves existing
/// entries. (A doubling `Vec` of a million entries would hold the manager's lock for milliseconds.)
/// The slab fills the lowest chunk first and frees empty chunks.
#[derive(Debug)]
pub(crate) struct ChunkedSlab<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks with free entries, including chunks that are not allocated.
    open: BTreeSet<u32>,
    len: usize,
}

/// A chunk of 256 entries. The entries have an allocation of their own, so that sizes that are
/// powers of two match the size classes of the allocator.
#[derive(Debug)]
struct Chunk<T> {
    entries: Option<Box<[Option<T>; CHUNK]>>,
    /// One bit per entry, set if the entry is in use.
    taken: [u64; WORDS],
}

impl<T> Default for ChunkedSlab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            open: BTreeSet::new(),
            len: 0,
        }
    }
}

impl<T> Default for Chunk<T> {
    fn default() -> Self {
        Self {
            entries: None,
            taken: [0; WORDS],
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`add_chunk` keeps every key below `u32::MAX`"
)]
impl<T> ChunkedSlab<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the exclusive upper bound of all keys in use.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.chunks.len() * CHUNK).unwrap_or(u32::MAX)
    }

    /// Inserts the value that `make` creates for its key. Returns the key, or `None` if no `u32` is
    /// left.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(u32) -> T) -> Option<u32> {
        let chunk_key = match self.open.first() {
            Some(key) => *key,
            None => self.add_chunk()?,
        };
        let chunk = &mut self.chunks[chunk_key as usize];
        let place = chunk.free_place()?;
        let key = chunk_key * CHUNK as u32 + place as u32;
        let entries = chunk
            .entries
            .get_or_insert_with(|| Box::new(std::array::from_fn(|_| None)));
        entries[place] = Some(make(key));
        chunk.taken[place / 64] |= 1 << (place % 64);
        if chunk.is_full() {
            self.open.remove(&chunk_key);
        }
        self.len += 1;
        Some(key)
    }

    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        let (chunk, place) = split(key);
        self.chunks.get(chunk)?.entries.as_ref()?[place].as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        let (chunk, place) = split(key);
        self.chunks.get_mut(chunk)?.entries.as_mut()?[place].as_mut()
    }

    pub(crate) fn remove(&mut self, key: u32) -> Option<T> {
        let (chunk_key, place) = split(key);
        let chunk = self.chunks.get_mut(chunk_key)?;
        let value = chunk.entries.as_mut()?[place].take()?;
        chunk.taken[place / 64] &= !(1 << (place % 64));
        let others_have_room = self.open.iter().any(|open| *open != chunk_key as u32);
        // Keep one empty chunk, so that a stream that connects and disconnects does not allocate a
        // chunk each time.
        if chunk.is_empty() && others_have_room {
            chunk.entries = None;
        }
        self.open.insert(chunk_key as u32);
        self.len -= 1;
        self.forget_last_chunks();
        Some(value)
    }

    /// Returns the first key in use at or after `from`.
    pub(crate) fn next_key(&self, from: u32) -> Option<u32> {
        let (mut chunk_key, mut place) = split(from);
        while chunk_key < self.chunks.len() {
            if let Some(found) = self.chunks[chunk_key].next_taken(place) {
                return Some((chunk_key * CHUNK + found) as u32);
            }
            chunk_key += 1;
            place = 0;
        }
        None
    }

    fn add_chunk(&mut self) -> Option<u32> {
        let key = self.chunks.len();
        if (key + 1) * CHUNK > u32::MAX as usize {
            return None;
        }
        self.chunks.push(Chunk::default());
        self.open.insert(key as u32);
        Some(key as u32)
    }

    fn forget_last_chunks(&mut self) {
        while self
            .chunks
            .last()
            .is_some_and(|chunk| chunk.entries.is_none())
        {
            self.chunks.pop();
            self.open.remove(&(self.chunks.len() as u32));
        }
        if self.chunks.capacity() > 2 * self.chunks.len() + 64 {
            self.chunks.shrink_to_fit();
        }
    }
}

impl<T> Chunk<T> {
    fn free_place(&self) -> Option<usize> {
        let word = self.taken.iter().position(|word| *word != u64::MAX)?;
        Some(word * 64 + self.taken[word].trailing_ones() as usize)
    }

    fn is_full(&self) -> bool {
        self.taken.iter().all(|word| *word == u64::MAX)
    }

    fn is_empty(&self) -> bool {
        self.taken.iter().all(|word| *word == 0)
    }

    fn next_taken(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.taken[word] & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.taken.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

fn split(key: u32) -> (usize, usize) {
    (key as usize / CHUNK, key as usize % CHUNK)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mass_removal_releases_the_chunks() {
        let mut table = ChunkedSlab::default();
        let keys: Vec<_> = (0..10_000)
            .map(|value| table.insert_with(|_| value).unwrap())
            .collect();
        assert_eq!(table.end(), 10_240);
        keys.iter()
            .for_each(|key| assert!(table.remove(*key).is_some()));
        assert_eq!(table.len(), 0);
        assert!(
            table
                .chunks
                .iter()
                .filter(|chunk| chunk.entries.is_some())
                .count()
                <= 1
        );
    }

    proptest! {
        #[test]
        fn slab_behaves_like_a_map(steps in proptest::collection::vec((any::<bool>(), 0_u32..2000), 0..4000)) {
            let mut table = ChunkedSlab::default();
            let mut model = BTreeMap::new();
            for (insert, value) in steps {
                if insert {
                    let key = table.insert_with(|key| (key, value)).unwrap();
                    prop_assert!(model.insert(key, (key, value)).is_none());
                } else {
                    prop_assert_eq!(table.remove(value), model.remove(&value));
                }
                prop_assert_eq!(table.len(), model.len());
            }
            let mut walked = Vec::new();
            let mut from = 0;
            while let Some(key) = table.next_key(from) {
                walked.push((key, *table.get(key).unwrap()));
                from = key + 1;
            }
            prop_assert_eq!(walked, model.into_iter().collect::<Vec<_>>());
        }
    }
}
