//! How many entries are asked for at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::reply::RawEntry;

/// How many entries are asked for at once, so that an answer is about so large whatever the size of
/// entries: Redis can be told a number of entries, and no number of bytes.
#[derive(Debug)]
pub(crate) struct PageSize {
    /// The size of an entry, as it was lately.
    size: AtomicUsize,
}

const ANSWER_BYTES: usize = 1 << 20;
const FEWEST: usize = 4;
const MOST: usize = 1024;

/// Until something is known.
const PRESUMED_BYTES: usize = 4096;

/// What an entry takes beside its payload, on its way.
const OVERHEAD_BYTES: usize = 64;

impl Default for PageSize {
    fn default() -> Self {
        Self {
            size: AtomicUsize::new(PRESUMED_BYTES),
        }
    }
}

impl PageSize {
    pub(crate) fn entries(&self) -> usize {
        (ANSWER_BYTES / self.size.load(Ordering::Relaxed).max(1)).clamp(FEWEST, MOST)
    }

    /// Learns from an answer: at once that entries are larger, slowly that they are smaller.
    pub(crate) fn learn(&self, entries: &[RawEntry]) {
        let sizes = entries
            .iter()
            .filter_map(|entry| entry.payload.as_ref())
            .map(bytes::Bytes::len);
        if let Some(largest) = sizes.max() {
            let before = self.size.load(Ordering::Relaxed);
            self.size.store(
                (largest + OVERHEAD_BYTES).max(before / 2),
                Ordering::Relaxed,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sse_core::Position;

    use super::*;

    fn entry(size: usize) -> RawEntry {
        RawEntry {
            position: Position::ZERO,
            payload: Some(Bytes::from(vec![0; size])),
        }
    }

    #[test]
    fn large_entries_are_asked_for_in_small_numbers() {
        let page_size = PageSize::default();
        page_size.learn(&[entry(10), entry(1 << 20), entry(10)]);
        assert_eq!(page_size.entries(), FEWEST);
        page_size.learn(&[]);
        assert_eq!(page_size.entries(), FEWEST);
        for _ in 0..20 {
            page_size.learn(&[entry(10)]);
        }
        assert_eq!(page_size.entries(), MOST);
    }
}
