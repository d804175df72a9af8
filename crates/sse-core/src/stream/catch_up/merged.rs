//! Sorted numbers from several sources, merged.

use std::mem;

use smallvec::SmallVec;

/// Merges the record numbers of all subscriptions, in order. A record has one target, so no number
/// occurs twice.
pub(super) struct Merged<I> {
    heads: SmallVec<[(u64, I); 4]>,
}

impl<I: Iterator<Item = u64>> Merged<I> {
    pub(super) fn new(numbers: impl Iterator<Item = I>) -> Self {
        Self {
            heads: numbers
                .filter_map(|mut numbers| Some((numbers.next()?, numbers)))
                .collect(),
        }
    }

    pub(super) fn next(&mut self) -> Option<u64> {
        let lowest = (0..self.heads.len()).min_by_key(|at| self.heads[*at].0)?;
        let (number, numbers) = &mut self.heads[lowest];
        match numbers.next() {
            Some(next) => Some(mem::replace(number, next)),
            None => Some(self.heads.swap_remove(lowest).0),
        }
    }
}
