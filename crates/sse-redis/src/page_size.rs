//! The number of entries to request at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::reply::RawEntry;

/// The number of entries to request at once. It is adapted so that replies have about the same size
/// for any size of entries: Redis accepts a limit on the number of entries, but none on bytes.
#[derive(Debug)]
pub(crate) struct PageSize {
    /// The estimated size of an entry in a reply.
    size: AtomicUsize,
}

const ANSWER_BYTES: usize = 1 << 20;
const FEWEST: usize = 4;
const MOST: usize = 1024;

/// Size of an entry before any entry was received.
const PRESUMED_BYTES: usize = 4096;

/// Size of an entry in a reply, without its payload.
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

    /// Adapts to a reply: at once if entries are larger, slowly if they are smaller.
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
    use sse_core::backplane::Position;

    use super::*;

    fn entry(size: usize) -> RawEntry {
        RawEntry {
            position: Position::ZERO,
            payload: Some(Bytes::from(vec![0; size])),
        }
    }

    #[test]
    fn large_entries_shrink_pages() {
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
