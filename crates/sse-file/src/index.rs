//! Offsets of some entries of a segment.

use crate::segment_header::HEADER_BYTES;

/// Offsets of some entries, so that every other entry is near one of them.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    step: u64,
    /// Sequence numbers and offsets, both rising.
    points: Vec<(u64, u64)>,
}

impl Index {
    pub(crate) fn new(step: u64) -> Self {
        Self {
            step,
            points: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, sequence: u64, offset: u64) {
        let last = self
            .points
            .last()
            .map_or(HEADER_BYTES, |(_, offset)| *offset);
        if offset >= last + self.step {
            self.points.push((sequence, offset));
        }
    }

    /// Returns the offset of an entry at or before this one.
    pub(crate) fn at_or_before(&self, sequence: u64) -> u64 {
        let next_index = self.points.partition_point(|(at, _)| *at <= sequence);
        next_index
            .checked_sub(1)
            .map_or(HEADER_BYTES, |at| self.points[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_points_at_or_before_entry() {
        let mut index = Index::new(100);
        (0..100).for_each(|at| index.note(10 + at, HEADER_BYTES + at * 30));
        assert!(index.points.len() < 30, "{} points", index.points.len());
        for sequence in 10..110 {
            let expected = HEADER_BYTES + (sequence - 10) * 30;
            let found = index.at_or_before(sequence);
            assert!(
                found <= expected && expected - found <= 130,
                "{sequence}: {found} for {expected}"
            );
        }
    }
}
