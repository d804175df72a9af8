//! Occurrences of a text in bytes that arrive in pieces.

use memchr::memmem::Finder;

/// A counter of a text's occurrences, including those that are split between pieces.
#[derive(Debug)]
pub(crate) struct Occurrences {
    finder: Finder<'static>,
    /// The last bytes seen, fewer than the text has.
    rest: Vec<u8>,
}

impl Occurrences {
    /// Creates a counter for a text that does not overlap with itself.
    pub(crate) fn of(text: &'static str) -> Self {
        Self {
            finder: Finder::new(text),
            rest: Vec::new(),
        }
    }

    /// Returns the number of occurrences that end in the next piece.
    pub(crate) fn count(&mut self, piece: &[u8]) -> u64 {
        self.rest.extend_from_slice(piece);
        let count = self.finder.find_iter(&self.rest).count();
        let kept = self
            .finder
            .needle()
            .len()
            .saturating_sub(1)
            .min(self.rest.len());
        self.rest.drain(..self.rest.len() - kept);
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_does_not_depend_on_where_pieces_end() {
        let text = b"event: tick\n\nevent: tock\n\nevent: tick\nevent: tick\n";
        for size in 1..=text.len() {
            let mut occurrences = Occurrences::of("event: tick\n");
            let count: u64 = text
                .chunks(size)
                .map(|piece| occurrences.count(piece))
                .sum();
            assert_eq!(count, 3, "in pieces of {size}");
        }
    }
}
