//! What readers see of a log.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use sse_core::{BackplaneError, Bounds, Cursor, Entry, Epoch, Page, Position, ReadLimit};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{error::ReadError, page::PageBuilder, record::Seal, segment::Segment};

/// Reads from disk at a time.
const READERS: usize = 8;

/// No call waits longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What an entry takes in memory besides its payload.
const ENTRY_BYTES: usize = 64;

/// What readers see of a log: only what was acknowledged, and no sooner.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) epoch: Epoch,
    pub(crate) seal: Seal,
    /// Bytes between two points of a segment's index.
    pub(crate) step: u64,
    recent_bytes: usize,
    state: Mutex<State>,
    status: watch::Sender<Status>,
    readers: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    /// One at least; the last is being written.
    segments: VecDeque<Arc<Segment>>,
    head: u64,
    recent: VecDeque<Entry>,
    recent_bytes: usize,
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    head: u64,
    pub(crate) is_closed: bool,
}

/// A log that is not open any more.
pub(crate) fn closed() -> BackplaneError {
    BackplaneError::unavailable(Duration::from_secs(1), "the log is closed")
}

impl State {
    fn trimmed(&self) -> u64 {
        self.segments.front().map_or(self.head, |segment| segment.first - 1)
    }

    fn check(&self, epoch: &Epoch, after: &Cursor) -> Result<u64, BackplaneError> {
        if after.epoch != *epoch {
            return Err(BackplaneError::Epoch { current: epoch.clone() });
        }
        let (trimmed, head) = (Position::from(self.trimmed()), Position::from(self.head));
        if after.position < trimmed {
            return Err(BackplaneError::Trimmed { trimmed });
        }
        if after.position > head {
            return Err(BackplaneError::Future { head });
        }
        Ok(after.position.minor())
    }

    /// A page, if it begins in memory.
    fn recent(&self, after: u64, limit: ReadLimit) -> Option<Page> {
        let mut page = PageBuilder::new(limit);
        if after < self.head {
            let oldest = self.recent.front().map(|entry| entry.position.minor())?;
            let skipped = usize::try_from((after + 1).checked_sub(oldest)?).ok()?;
            for entry in self.recent.range(skipped..) {
                if !page.push(entry.clone()) {
                    break;
                }
            }
        }
        Some(page.build(self.head, after))
    }

    fn segment_of(&self, sequence: u64) -> Option<Arc<Segment>> {
        let behind = self.segments.partition_point(|segment| segment.first <= sequence);
        self.segments.get(behind.checked_sub(1)?).cloned()
    }
}

impl Log {
    pub(crate) fn new(
        epoch: Epoch,
        seal: Seal,
        step: u64,
        segments: VecDeque<Arc<Segment>>,
        head: u64,
        recent_bytes: usize,
    ) -> Self {
        Self {
            epoch,
            seal,
            step,
            recent_bytes,
            state: Mutex::new(State { segments, head, recent: VecDeque::new(), recent_bytes: 0 }),
            status: watch::Sender::new(Status { head, is_closed: false }),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let state = self.state.lock();
        Bounds { epoch: self.epoch.clone(), trimmed: state.trimmed().into(), head: state.head.into() }
    }

    pub(crate) fn rewind(&self, entries: u64) -> Cursor {
        let state = self.state.lock();
        let position = state.head.saturating_sub(entries).max(state.trimmed());
        Cursor::new(self.epoch.clone(), position.into())
    }

    pub(crate) fn check(&self, after: &Cursor) -> Result<(), BackplaneError> {
        self.state.lock().check(&self.epoch, after).map(drop)
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// As [`Backplane::read`](sse_core::Backplane::read).
    pub(crate) async fn page(
        self: &Arc<Self>,
        after: &Cursor,
        limit: ReadLimit,
    ) -> Result<Page, BackplaneError> {
        let from = {
            let state = self.state.lock();
            let from = state.check(&self.epoch, after)?;
            if let Some(page) = state.recent(from, limit) {
                return Ok(page);
            }
            from
        };
        let late = |_| BackplaneError::unavailable(Duration::from_secs(1), "the disk takes too long to read");
        timeout(PATIENCE, self.page_from_disk(from, limit)).await.map_err(late)?
    }

    async fn page_from_disk(self: &Arc<Self>, after: u64, limit: ReadLimit) -> Result<Page, BackplaneError> {
        // It goes along: a caller who gives up leaves a read behind that counts until it is over.
        let permit = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| closed())?;
        let log = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            log.read(after, limit)
        });
        read.await.map_err(|error| BackplaneError::unavailable(Duration::from_secs(1), error))?
    }

    fn read(&self, after: u64, limit: ReadLimit) -> Result<Page, BackplaneError> {
        let mut page = PageBuilder::new(limit);
        loop {
            let at = page.last().unwrap_or(after);
            let state = self.state.lock();
            let (head, trimmed) = (state.head, state.trimmed());
            let is_trimmed = at < trimmed;
            if is_trimmed && page.is_empty() {
                return Err(BackplaneError::Trimmed { trimmed: trimmed.into() });
            }
            let segment = state.segment_of(at + 1).filter(|_| at < head && !is_trimmed && !page.is_full());
            drop(state);
            let Some(segment) = segment else {
                return Ok(page.build(head, after));
            };
            match segment.read(self.seal, self.step, (at, head), &mut page) {
                Ok(()) => {}
                // It went while it was being read, which the next look says.
                Err(ReadError::Io { .. }) if !self.holds(&segment) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The segment that an entry is in.
    #[cfg(test)]
    pub(crate) fn segment(&self, sequence: u64) -> Option<Arc<Segment>> {
        self.state.lock().segment_of(sequence)
    }

    fn holds(&self, segment: &Segment) -> bool {
        self.state.lock().trimmed() < segment.first
    }

    /// Lets everybody see what was acknowledged.
    pub(crate) fn publish(&self, entries: Vec<Entry>) {
        let Some(head) = entries.last().map(|entry| entry.position.minor()) else { return };
        let mut state = self.state.lock();
        state.head = head;
        for entry in entries {
            state.recent_bytes += ENTRY_BYTES + entry.payload.len();
            state.recent.push_back(entry);
        }
        while state.recent_bytes > self.recent_bytes {
            let Some(oldest) = state.recent.pop_front() else { break };
            state.recent_bytes -= ENTRY_BYTES + oldest.payload.len();
        }
        drop(state);
        self.status.send_modify(|status| status.head = head);
    }

    /// Further entries are in this one.
    pub(crate) fn begin(&self, segment: Arc<Segment>) {
        self.state.lock().segments.push_back(segment);
    }

    /// The oldest segment, unless it is the one that is being written.
    pub(crate) fn oldest_full(&self) -> Option<Arc<Segment>> {
        let state = self.state.lock();
        state.segments.front().filter(|_| state.segments.len() > 1).cloned()
    }

    /// The oldest segment goes; its entries go from memory, too.
    pub(crate) fn forget_oldest(&self) {
        let mut state = self.state.lock();
        state.segments.pop_front();
        let trimmed = Position::from(state.trimmed());
        while let Some(entry) = state.recent.pop_front_if(|entry| entry.position <= trimmed) {
            state.recent_bytes -= ENTRY_BYTES + entry.payload.len();
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&self) {
        self.status.send_modify(|status| status.is_closed = true);
    }
}
