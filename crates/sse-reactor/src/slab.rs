//! Storage of a thread's connections.

use crate::key::SlabKey;

/// Number of slots in a chunk. Slots are allocated by the chunk, so that no insertion moves all
/// other connections.
const CHUNK: usize = 256;

/// A slab that grows by chunks, releases its memory when it is empty, and detects late keys.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<SlabSlot<T>>>,
    vacant: Vec<u32>,
    len: usize,
    next_serial: u32,
}

/// A slot. The serial number belongs to the content, so that a vacant slot needs no number.
#[derive(Debug)]
struct SlabSlot<T> {
    serial: u32,
    content: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            vacant: Vec::new(),
            len: 0,
            next_serial: 0,
        }
    }
}

impl<T> Slab<T> {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Inserts the value that `make` creates for the key. Returns the error if `make` fails, and
    /// `None` if the slab is full.
    pub(crate) fn try_insert<E>(
        &mut self,
        make: impl FnOnce(SlabKey) -> Result<T, E>,
    ) -> Result<Option<SlabKey>, E> {
        let place = match self.vacant.last() {
            Some(place) => *place,
            None => match self.grow() {
                Some(place) => place,
                None => return Ok(None),
            },
        };
        let key = SlabKey {
            place,
            serial: self.next_serial,
        };
        let content = make(key)?;
        self.next_serial = self.next_serial.wrapping_add(1);
        let slot = SlabSlot {
            serial: key.serial,
            content: Some(content),
        };
        let (chunk, within) = split(place);
        match self.chunks[chunk].get_mut(within) {
            Some(vacant) => *vacant = slot,
            None => self.chunks[chunk].push(slot),
        }
        if self.vacant.last() == Some(&place) {
            self.vacant.pop();
        }
        self.len += 1;
        Ok(Some(key))
    }

    /// Returns the next index that was never used.
    fn grow(&mut self) -> Option<u32> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let used = (self.chunks.len() - 1) * CHUNK + self.chunks.last().map_or(0, Vec::len);
        u32::try_from(used).ok()
    }

    /// Returns the content, unless the key is late.
    pub(crate) fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        self.slot_mut(key.place)
            .filter(|slot| slot.serial == key.serial)?
            .content
            .as_mut()
    }

    /// Returns the key of the content at an index.
    pub(crate) fn key_at(&self, place: u32) -> Option<SlabKey> {
        let (chunk, within) = split(place);
        let slot = self.chunks.get(chunk)?.get(within)?;
        slot.content.as_ref().map(|_| SlabKey {
            place,
            serial: slot.serial,
        })
    }

    pub(crate) fn remove(&mut self, key: SlabKey) -> Option<T> {
        let slot = self
            .slot_mut(key.place)
            .filter(|slot| slot.serial == key.serial)?;
        let content = slot.content.take()?;
        self.len -= 1;
        self.vacant.push(key.place);
        if self.len == 0 {
            self.chunks = Vec::new();
            self.vacant = Vec::new();
        }
        Some(content)
    }

    /// Returns all keys in use.
    pub(crate) fn keys(&self) -> Vec<SlabKey> {
        let places = 0..u32::try_from(self.chunks.len() * CHUNK).unwrap_or(u32::MAX);
        places.filter_map(|place| self.key_at(place)).collect()
    }

    fn slot_mut(&mut self, place: u32) -> Option<&mut SlabSlot<T>> {
        let (chunk, within) = split(place);
        self.chunks.get_mut(chunk)?.get_mut(within)
    }
}

fn split(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / CHUNK, place % CHUNK)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn insert(table: &mut Slab<u32>, content: u32) -> SlabKey {
        table
            .try_insert(|_| Ok::<_, Infallible>(content))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn late_key_finds_no_connection() {
        let mut table = Slab::default();
        let (first, second) = (insert(&mut table, 1), insert(&mut table, 2));
        assert_eq!(table.remove(first), Some(1));
        let third = insert(&mut table, 3);
        assert_eq!(third.place, first.place, "places are used again");
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(
            (
                table.get_mut(second).copied(),
                table.get_mut(third).copied()
            ),
            (Some(2), Some(3))
        );
    }

    #[test]
    fn key_from_before_a_full_removal_is_late() {
        let mut table = Slab::default();
        let early = insert(&mut table, 1);
        table.remove(early);
        assert!(
            table.chunks.is_empty() && table.vacant.capacity() == 0,
            "memory was not released"
        );
        let late = insert(&mut table, 2);
        assert_eq!(early.place, late.place);
        assert_eq!(table.get_mut(early), None);
        assert_eq!(table.get_mut(late), Some(&mut 2));
    }

    #[test]
    fn failed_creation_takes_no_slot() {
        let mut table = Slab::<u32>::default();
        for _ in 0..3 {
            assert_eq!(table.try_insert(|key| Err::<u32, _>(key.place)), Err(0));
        }
        assert!(table.is_empty());
        let kept = insert(&mut table, 7);
        table.try_insert(|_| Err::<u32, _>(())).unwrap_err();
        assert_eq!((table.len(), table.keys()), (1, vec![kept]));
    }

    #[test]
    fn slots_are_reused_across_chunks() {
        let mut table = Slab::default();
        let keys: Vec<_> = (0..1000).map(|number| insert(&mut table, number)).collect();
        assert_eq!(table.chunks.len(), 4);
        keys.iter()
            .step_by(2)
            .for_each(|key| assert!(table.remove(*key).is_some()));
        assert_eq!(table.len(), 500);
        (0..500).for_each(|number| assert!(insert(&mut table, number).place < 1000));
        assert_eq!(
            (table.chunks.len(), table.vacant.len(), table.keys().len()),
            (4, 0, 1000)
        );
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn connection_and_serial_fill_one_cache_line() {
        // In debug builds, mio's socket is larger than a file descriptor.
        assert_eq!(
            size_of::<SlabSlot<crate::connection::StreamConnection<u32>>>(),
            64
        );
    }

    #[test]
    fn serial_numbers_begin_anew() {
        let mut table = Slab {
            next_serial: u32::MAX,
            ..Slab::default()
        };
        assert_eq!(insert(&mut table, 1).serial, u32::MAX);
        assert_eq!(insert(&mut table, 2).serial, 0);
    }
}
