//! A page that is being filled.

use sse_core::backplane::{Entry, Page, ReadLimit};

/// A page that is being filled.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    page: Page,
    limit: ReadLimit,
    is_full: bool,
}

impl PageBuilder {
    pub(crate) fn new(limit: ReadLimit) -> Self {
        Self {
            page: Page::default(),
            limit,
            is_full: false,
        }
    }

    /// Adds an entry. Returns `false` if the page has no room for the entry; the first entry is
    /// always added.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let bytes = entry.payload.len();
        let fits = self.page.entries.len() < self.limit.entries && bytes <= self.limit.bytes;
        self.is_full = !self.page.entries.is_empty() && !fits;
        if !self.is_full {
            self.limit.bytes = self.limit.bytes.saturating_sub(bytes);
            self.page.entries.push(entry);
        }
        !self.is_full
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.page.entries.is_empty()
    }

    /// Returns the number of the last entry.
    pub(crate) fn last(&self) -> Option<u64> {
        self.page.entries.last().map(|entry| entry.position.minor())
    }

    pub(crate) fn build(self, head: u64, after: u64) -> Page {
        let at_head = self.last().unwrap_or(after) == head;
        Page {
            at_head,
            ..self.page
        }
    }
}
