//! Older parts of the log that were read lately.

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

/// So much is kept of what was read, in memory.
const KEPT_BYTES: usize = 32 << 20;

/// Maximum number of parts that are kept in memory.
const KEPT: usize = 512;

/// Reads older parts of the log. Parties of streams have [turns](crate::log::shares::Shares),
/// usually with one read in flight, and every stream that is in the part that came takes from it:
/// ten thousand clients that come back together read the log about once.
#[derive(Debug, Default)]
pub(crate) struct PageCache {
    pub(crate) state: Mutex<State>,
    pub(crate) asked: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The latest last.
    pub(crate) kept: VecDeque<Kept>,
    pub(crate) bytes: usize,
    /// The log holds only what is behind this.
    pub(crate) trimmed: Option<Cursor>,
    /// The distance that the latest part covers.
    pub(crate) span: Position,
    pub(crate) reads: u64,
}

/// A part of the log in memory.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) segment: Arc<FetchedPage>,
    /// The party that had it read.
    pub(crate) party: Party,
}

/// What follows a cursor cannot be had.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub(crate) reason: GapReason,
    /// Where to go on.
    pub(crate) to: Cursor,
}

impl State {
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

    /// Forgets the oldest part of the party that has the most in memory, so that one who reads the
    /// whole log does not take the place of others.
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
    /// The part of the log that has what follows a cursor, or what became of it; `None` where it
    /// has to be read.
    pub(crate) fn get(&self, after: &Cursor) -> Option<Result<Arc<FetchedPage>, Lost>> {
        let state = self.state.lock();
        if let Some(kept) = state.kept.iter().find(|kept| kept.segment.follows(after)) {
            return Some(Ok(Arc::clone(&kept.segment)));
        }
        if let Some(to) = &state.trimmed
            && to.epoch == after.epoch
            && after.position < to.position
        {
            return Some(Err(Lost {
                reason: GapReason::Trimmed,
                to: to.clone(),
            }));
        }
        None
    }

    /// Has read what a stream [waits](crate::sequencer::Sequencer::wait_for_part) for, which is
    /// woken then.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// How many parts were read.
    pub(crate) fn reads(&self) -> u64 {
        self.state.lock().reads
    }
}
