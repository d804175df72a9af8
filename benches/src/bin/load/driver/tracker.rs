//! Bookkeeping of the events that one stream received: holes, doubles and swaps.

use std::ops::{AddAssign, Range};

use serde::{Deserialize, Serialize};

/// Delivery faults, summed over streams. All zero is the only good result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// Events that were published, but never received by a stream that was open before.
    pub(crate) missing: u64,
    /// Events that were received again.
    pub(crate) doubled: u64,
    /// Events that were received after one that was published later.
    pub(crate) out_of_order: u64,
    /// Values that started like a payload, but had another length, padding or digits.
    pub(crate) damaged: u64,
    /// Streams that the server ended.
    pub(crate) ended: u64,
}

impl Faults {
    pub(crate) fn none(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.missing += other.missing;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.damaged += other.damaged;
        self.ended += other.ended;
    }
}

/// The sequence numbers that one stream has received, stored as the next expected number and the
/// holes before it.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    next: u32,
    holes: Vec<Range<u32>>,
    doubled: u64,
    out_of_order: u64,
}

impl Tracker {
    pub(crate) fn see(&mut self, sequence: u32) {
        if sequence < self.next {
            self.see_late(sequence);
            return;
        }
        if sequence > self.next {
            self.holes.push(self.next..sequence);
        }
        self.next = sequence.saturating_add(1);
    }

    fn see_late(&mut self, sequence: u32) {
        let Some(at) = self.holes.iter().position(|hole| hole.contains(&sequence)) else {
            self.doubled += 1;
            return;
        };
        self.out_of_order += 1;
        let hole = self.holes.swap_remove(at);
        let rest = [hole.start..sequence, sequence + 1..hole.end];
        self.holes
            .extend(rest.into_iter().filter(|part| !part.is_empty()));
    }

    /// Returns the faults, once `published` numbers from zero on have been sent and enough time has
    /// passed.
    pub(crate) fn faults(&self, published: u32) -> Faults {
        let tail = self.next..published;
        let missing = self
            .holes
            .iter()
            .chain([&tail])
            .map(|hole| hole.len() as u64)
            .sum();
        Faults {
            missing,
            doubled: self.doubled,
            out_of_order: self.out_of_order,
            ..Faults::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seen: &[u32], published: u32) -> Faults {
        let mut tracker = Tracker::default();
        seen.iter().for_each(|sequence| tracker.see(*sequence));
        tracker.faults(published)
    }

    #[test]
    fn in_order_delivery_has_no_faults() {
        assert!(faults(&[0, 1, 2, 3], 4).none());
        assert!(faults(&[], 0).none());
    }

    #[test]
    fn counts_holes_at_every_position() {
        assert_eq!(
            faults(&[2, 3, 6], 9),
            Faults {
                missing: 6,
                ..Faults::default()
            }
        );
        assert_eq!(
            faults(&[], 5),
            Faults {
                missing: 5,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn counts_duplicates() {
        assert_eq!(
            faults(&[0, 1, 1, 0, 2], 3),
            Faults {
                doubled: 2,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn a_swap_is_out_of_order_and_not_missing() {
        assert_eq!(
            faults(&[0, 2, 1, 3], 4),
            Faults {
                out_of_order: 1,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn late_event_splits_its_hole() {
        let expected = Faults {
            missing: 3,
            doubled: 1,
            out_of_order: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, 5, 3, 3], 6), expected);
    }
}
