//! Unreadable ranges of the log.

use crate::event::cursor::Position;

/// Maximum number of ranges that are remembered. The lowest range is forgotten first. A stream that
/// reads there finds it again.
const MOST: usize = 256;

/// The known ranges of the log that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    /// Ranges, each starting after the first position and ending with the second. Ranges are
    /// ordered and do not overlap.
    stretches: Vec<(Position, Position)>,
}

impl Holes {
    /// Adds a range. Returns `false` if all of it was known.
    pub(crate) fn add(&mut self, after: Position, to: Position) -> bool {
        if after >= to {
            return false;
        }
        let first = self.stretches.partition_point(|(_, end)| *end < after);
        let next = self.stretches.partition_point(|(start, _)| *start <= to);
        let known = &self.stretches[first..next.max(first)];
        if known
            .iter()
            .any(|(start, end)| *start <= after && to <= *end)
        {
            return false;
        }
        let start = known.first().map_or(after, |(start, _)| after.min(*start));
        let end = known.last().map_or(to, |(_, end)| to.max(*end));
        self.stretches
            .splice(first..next.max(first), [(start, end)]);
        if self.stretches.len() > MOST {
            self.stretches.remove(0);
        }
        true
    }

    /// Returns the end of the range that starts at or before a position and covers what follows the
    /// position.
    pub(crate) fn end_after(&self, position: Position) -> Option<Position> {
        let at = self.stretches.partition_point(|(_, end)| *end <= position);
        self.stretches
            .get(at)
            .filter(|(start, _)| *start <= position)
            .map(|(_, end)| *end)
    }

    /// Returns `true` if any part of the log after one position and up to another cannot be read.
    pub(crate) fn touch(&self, after: Position, to: Position) -> bool {
        let at = self.stretches.partition_point(|(_, end)| *end <= after);
        after < to && self.stretches.get(at).is_some_and(|(start, _)| *start < to)
    }

    /// Removes ranges that the log no longer holds.
    pub(crate) fn trim(&mut self, trimmed: Position) {
        self.stretches.retain(|(_, end)| *end > trimmed);
    }

    /// Removes all ranges, because the log was replaced.
    pub(crate) fn clear(&mut self) {
        self.stretches.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// Compares the ranges with a set of all positions that cannot be read.
        #[test]
        fn holes_are_the_union_of_added_ranges(added in vec((0_u64..60, 1_u64..9), 0..30)) {
            let mut holes = Holes::default();
            let mut lost = [false; 80];
            for (after, length) in added {
                let to = after + length;
                let is_news = (after + 1..=to).any(|at| !lost[usize::try_from(at).unwrap()]);
                prop_assert_eq!(holes.add(after.into(), to.into()), is_news);
                (after + 1..=to).for_each(|at| lost[usize::try_from(at).unwrap()] = true);
            }
            for from in 0..70_usize {
                let position = |at: usize| Position::from(at as u64);
                let end = (from + 1..lost.len()).find(|at| !lost[*at]).unwrap() - 1;
                prop_assert_eq!(holes.end_after(position(from)), (end > from).then(|| position(end)));
                for to in from..70 {
                    let touched = lost[from + 1..=to].iter().any(|lost| *lost);
                    prop_assert_eq!(holes.touch(position(from), position(to)), touched, "{} {}", from, to);
                }
            }
        }
    }

    #[test]
    fn trimmed_holes_are_forgotten_and_count_is_bounded() {
        let mut holes = Holes::default();
        for number in 0..2 * MOST as u64 {
            assert!(holes.add((10 * number).into(), (10 * number + 1).into()));
        }
        assert_eq!(holes.stretches.len(), MOST);
        holes.trim((20 * MOST as u64 - 10).into());
        assert_eq!(holes.stretches.len(), 1);
        holes.clear();
        assert_eq!(holes.end_after(Position::from(20 * MOST as u64 - 10)), None);
    }
}
