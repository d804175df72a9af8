//! A cache of older pages of the log.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::sync::Notify;

use crate::{
    event::cursor::{Cursor, Position},
    log::{fetched_page::FetchedPage, gap::GapReason, shares::Party},
    sync::Mutex,
};

/// Maximum number of bytes of pages that are kept in memory.
const KEPT_BYTES: usize = 32 << 20;

/// Maximum number of pages that are kept in memory.
const KEPT: usize = 512;

/// A cache of older pages of the log.
///
/// Parties of streams take [turns](crate::log::shares::Shares) at reading, usually with one read in
/// flight. Every stream that needs the page takes its events from it, so ten thousand clients that
/// return together read the log about once.
#[derive(Debug, Default)]
pub(crate) struct PageCache {
    pub(crate) state: Mutex<PageCacheState>,
    pub(crate) asked: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct PageCacheState {
    /// Pages in memory, the latest last.
    pub(crate) kept: VecDeque<Kept>,
    pub(crate) bytes: usize,
    /// Cursor up to which the log has been trimmed.
    pub(crate) trimmed: Option<Cursor>,
    /// Distance that the latest page covers.
    pub(crate) span: Position,
    pub(crate) reads: u64,
}

/// A page of the log in memory.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) segment: Arc<FetchedPage>,
    /// Party that requested the read.
    pub(crate) party: Party,
}

/// The outcome if the log no longer has what follows a cursor.
#[derive(Debug, Clone)]
pub(crate) struct LostRecords {
    pub(crate) reason: GapReason,
    /// Cursor to continue from.
    pub(crate) to: Cursor,
}

impl PageCacheState {
    pub(crate) fn keep(&mut self, segment: FetchedPage, party: Party) {
        self.reads += 1;
        self.span = segment.after.position.distance_to(segment.last);
        self.bytes += segment.bytes();
        self.kept.push_back(Kept {
            segment: Arc::new(segment),
            party,
        });
        while self.kept.len() > 1 && (self.bytes > KEPT_BYTES || self.kept.len() > KEPT) {
            self.forget_one();
        }
    }

    /// Removes the oldest page of the party that has the most bytes in memory, so that a client
    /// that reads the whole log does not displace the pages of others.
    fn forget_one(&mut self) {
        let mut bytes = HashMap::new();
        for kept in &self.kept {
            *bytes.entry(kept.party).or_insert(0) += kept.segment.bytes();
        }
        let most = bytes.values().max().copied().unwrap_or_default();
        let oldest = self
            .kept
            .iter()
            .position(|kept| bytes.get(&kept.party) == Some(&most));
        if let Some(kept) = oldest.and_then(|oldest| self.kept.remove(oldest)) {
            self.bytes -= kept.segment.bytes();
        }
    }
}

impl PageCache {
    /// Returns the page with the record after a cursor, or [`LostRecords`] if the log no longer has
    /// the record. Returns `None` if the page must be read.
    pub(crate) fn get(&self, after: &Cursor) -> Option<Result<Arc<FetchedPage>, LostRecords>> {
        let state = self.state.lock();
        if let Some(kept) = state.kept.iter().find(|kept| kept.segment.follows(after)) {
            return Some(Ok(Arc::clone(&kept.segment)));
        }
        if let Some(to) = &state.trimmed
            && to.epoch == after.epoch
            && after.position < to.position
        {
            return Some(Err(LostRecords {
                reason: GapReason::Trimmed,
                to: to.clone(),
            }));
        }
        None
    }

    /// Requests the read that a stream [waits](crate::sequencer::Sequencer::wait_for_part) for. The
    /// stream is woken after the read.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Returns the number of pages that were read.
    pub(crate) fn reads(&self) -> u64 {
        self.state.lock().reads
    }
}
