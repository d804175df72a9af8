//! Reproducible randomness.

use rand::{SeedableRng, rngs::StdRng};

/// A run's seed. The values drawn for one purpose do not depend on the values drawn for
/// another, or on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the random generator for a purpose.
    pub(crate) fn dice(self, purpose: &str) -> StdRng {
        StdRng::seed_from_u64(self.of(purpose.bytes()))
    }

    /// Returns the random generator for the item with a number, among those of a purpose.
    pub(crate) fn dice_of(self, purpose: &str, number: u64) -> StdRng {
        StdRng::seed_from_u64(self.of(purpose.bytes().chain(number.to_le_bytes())))
    }

    /// Hashes by FNV-1a, which is the same on every platform and in every version.
    fn of(self, bytes: impl Iterator<Item = u8>) -> u64 {
        let start = 0xcbf2_9ce4_8422_2325 ^ self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bytes.fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn chance_depends_on_seed_purpose_and_number_alone() {
        let draw = |seed, purpose: &str, number| -> u64 {
            Seed::new(seed).dice_of(purpose, number).random()
        };
        assert_eq!(draw(1, "events", 7), draw(1, "events", 7));
        let others = [
            draw(2, "events", 7),
            draw(1, "faults", 7),
            draw(1, "events", 8),
        ];
        assert!(others.iter().all(|other| *other != draw(1, "events", 7)));
    }
}
