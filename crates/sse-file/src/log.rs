//! The readers' view of a log.

use std::{
    collections::{HashSet, VecDeque},
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use sse_core::backplane::{BackplaneError, Bounds, Cursor, Entry, Epoch, Page, ReadLimit};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use tracing::error;

use crate::{
    error::ReadError,
    page_builder::PageBuilder,
    record::Seal,
    runs::{FoundRun, Runs},
    segment::{Reading, Segment, Unreadable},
};

/// Maximum number of concurrent reads from disk.
const READERS: usize = 8;

/// Timeout of every call.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of damaged places that are reported separately.
const MOST_KNOWN: usize = 1000;

/// Memory of an entry without its payload.
const ENTRY_BYTES: usize = 64;

/// The readers' view of a log: all acknowledged entries, and no others.
#[derive(Debug)]
pub(crate) struct FileLog {
    pub(crate) epoch: Epoch,
    pub(crate) seal: Seal,
    pub(crate) runs: Runs,
    /// Bytes between two points of a segment's index.
    pub(crate) step: u64,
    recent_bytes: usize,
    state: Mutex<FileLogState>,
    status: watch::Sender<LogStatus>,
    /// Damaged places that were reported to the operator.
    known: Mutex<HashSet<(PathBuf, u64)>>,
    readers: Arc<Semaphore>,
}

#[derive(Debug)]
struct FileLogState {
    /// The segments, at least one; the last is being written.
    segments: VecDeque<Arc<Segment>>,
    head: u64,
    recent: VecDeque<Entry>,
    recent_bytes: usize,
}

/// The state of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogStatus {
    head: u64,
    pub(crate) is_closed: bool,
}

/// Returns the error for a closed log.
pub(crate) fn closed() -> BackplaneError {
    BackplaneError::unavailable(Duration::from_secs(1), "the log is closed")
}

impl FileLogState {
    fn trimmed(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.head, |segment| segment.first - 1)
    }

    fn check(&self, epoch: &Epoch, runs: &Runs, after: &Cursor) -> Result<u64, BackplaneError> {
        if after.epoch != *epoch {
            return Err(BackplaneError::Epoch {
                current: epoch.clone(),
            });
        }
        let (trimmed, head) = (runs.position(self.trimmed()), runs.head(self.head));
        if after.position < trimmed {
            return Err(BackplaneError::Trimmed { trimmed });
        }
        if after.position > head {
            return Err(BackplaneError::Future { head });
        }
        match runs.find(after.position) {
            FoundRun::At(sequence) => Ok(sequence),
            FoundRun::Lost(next) => Err(BackplaneError::damaged(
                runs.before(next),
                "the end of the log was lost at this position",
            )),
            FoundRun::Future => Err(BackplaneError::Future { head }),
        }
    }

    /// Returns a page if it starts in memory.
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

    /// Returns the segment that contains an entry, and the last entry that must be in that segment.
    fn segment_of(&self, sequence: u64) -> Option<(Arc<Segment>, u64)> {
        let next_index = self
            .segments
            .partition_point(|segment| segment.first <= sequence);
        let last = self
            .segments
            .get(next_index)
            .map_or(self.head, |next| next.first - 1);
        Some((
            Arc::clone(self.segments.get(next_index.checked_sub(1)?)?),
            last.min(self.head),
        ))
    }
}

impl FileLog {
    pub(crate) fn new(
        epoch: Epoch,
        seal: Seal,
        runs: Runs,
        step: u64,
        segments: VecDeque<Arc<Segment>>,
        head: u64,
        recent_bytes: usize,
    ) -> Self {
        Self {
            epoch,
            seal,
            runs,
            step,
            recent_bytes,
            state: Mutex::new(FileLogState {
                segments,
                head,
                recent: VecDeque::new(),
                recent_bytes: 0,
            }),
            status: watch::Sender::new(LogStatus {
                head,
                is_closed: false,
            }),
            known: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let state = self.state.lock();
        let (trimmed, head) = (
            self.runs.position(state.trimmed()),
            self.runs.head(state.head),
        );
        Bounds {
            epoch: self.epoch.clone(),
            trimmed,
            head,
        }
    }

    pub(crate) fn rewind(&self, entries: u64) -> Cursor {
        let state = self.state.lock();
        let sequence = state.head.saturating_sub(entries).max(state.trimmed());
        let is_at_head = sequence == state.head;
        let position = if is_at_head {
            self.runs.head(sequence)
        } else {
            self.runs.before(sequence + 1)
        };
        Cursor::new(self.epoch.clone(), position)
    }

    pub(crate) fn check(&self, after: &Cursor) -> Result<(), BackplaneError> {
        self.state
            .lock()
            .check(&self.epoch, &self.runs, after)
            .map(drop)
    }

    pub(crate) fn status(&self) -> watch::Receiver<LogStatus> {
        self.status.subscribe()
    }

    /// Reads a page, like [`Backplane::read`](sse_core::backplane::Backplane::read).
    pub(crate) async fn page(
        self: &Arc<Self>,
        after: &Cursor,
        limit: ReadLimit,
    ) -> Result<Page, BackplaneError> {
        let from = {
            let state = self.state.lock();
            let from = state.check(&self.epoch, &self.runs, after)?;
            if let Some(page) = state.recent(from, limit) {
                return Ok(page);
            }
            from
        };
        let late = |_| {
            BackplaneError::unavailable(Duration::from_secs(1), "the disk takes too long to read")
        };
        timeout(RESPONSE_TIMEOUT, self.page_from_disk(from, limit))
            .await
            .map_err(late)?
    }

    async fn page_from_disk(
        self: &Arc<Self>,
        after: u64,
        limit: ReadLimit,
    ) -> Result<Page, BackplaneError> {
        // The permit moves into the read: a read whose caller was dropped counts until it ends.
        let permit = Arc::clone(&self.readers)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let log = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            log.read(after, limit)
        });
        read.await
            .map_err(|error| BackplaneError::unavailable(Duration::from_secs(1), error))?
    }

    pub(crate) fn read(&self, after: u64, limit: ReadLimit) -> Result<Page, BackplaneError> {
        let mut page = PageBuilder::new(limit);
        loop {
            let at = page.last().unwrap_or(after);
            let state = self.state.lock();
            let (head, trimmed) = (state.head, state.trimmed());
            let is_trimmed = at < trimmed;
            if is_trimmed && page.is_empty() {
                return Err(BackplaneError::Trimmed {
                    trimmed: self.runs.position(trimmed),
                });
            }
            let segment = state
                .segment_of(at + 1)
                .filter(|_| at < head && !is_trimmed && !page.is_full());
            drop(state);
            let Some((segment, last)) = segment else {
                return Ok(page.build(head, after));
            };
            let reading = Reading {
                seal: self.seal,
                step: self.step,
                runs: &self.runs,
                last,
            };
            match segment.read(reading, at, &mut page) {
                Ok(()) => {}
                // The segment was removed during the read, which the next iteration detects.
                Err(Unreadable {
                    error: ReadError::Io { .. },
                    ..
                }) if !self.holds(&segment) => {}
                // A caller that continues after the page reaches the damage.
                Err(_) if !page.is_empty() => return Ok(page.build(head, after)),
                Err(Unreadable { error, .. }) if error.is_passing() => {
                    return Err(BackplaneError::unavailable(Duration::from_secs(1), error));
                }
                Err(Unreadable { up_to, error }) => return Err(self.damaged(at + 1, up_to, error)),
            }
        }
    }

    /// Returns the error for damage, and logs the damage once for each place.
    fn damaged(&self, from: u64, up_to: u64, error: ReadError) -> BackplaneError {
        let (file, offset) = error.place();
        let mut known = self.known.lock();
        if known.len() < MOST_KNOWN && known.insert((file.clone(), offset)) {
            let (file, problem) = (file.display(), &error as &dyn Error);
            error!(%file, offset, from, up_to, error = problem, "failed to read entries of an event log: skipping them");
        }
        let head = self.state.lock().head;
        let to = if up_to == head {
            self.runs.head(head)
        } else {
            self.runs.before(up_to + 1)
        };
        BackplaneError::damaged(to, error)
    }

    /// Returns the segment that contains an entry.
    #[cfg(test)]
    pub(crate) fn segment(&self, sequence: u64) -> Option<Arc<Segment>> {
        self.state
            .lock()
            .segment_of(sequence)
            .map(|(segment, _)| segment)
    }

    fn holds(&self, segment: &Segment) -> bool {
        self.state.lock().trimmed() < segment.first
    }

    /// Makes acknowledged entries visible to readers.
    pub(crate) fn publish(&self, entries: Vec<Entry>) {
        let Some(head) = entries.last().map(|entry| entry.position.minor()) else {
            return;
        };
        let mut state = self.state.lock();
        state.head = head;
        for entry in entries {
            state.recent_bytes += ENTRY_BYTES + entry.payload.len();
            state.recent.push_back(entry);
        }
        while state.recent_bytes > self.recent_bytes {
            let Some(oldest) = state.recent.pop_front() else {
                break;
            };
            state.recent_bytes -= ENTRY_BYTES + oldest.payload.len();
        }
        drop(state);
        self.status.send_modify(|status| status.head = head);
    }

    /// Adds the segment for further entries.
    pub(crate) fn begin(&self, segment: Arc<Segment>) {
        self.state.lock().segments.push_back(segment);
    }

    /// Returns the oldest segment, unless it is the one that is being written.
    pub(crate) fn oldest_full(&self) -> Option<Arc<Segment>> {
        let state = self.state.lock();
        state
            .segments
            .front()
            .filter(|_| state.segments.len() > 1)
            .cloned()
    }

    /// Removes the oldest segment, and its entries from memory.
    pub(crate) fn forget_oldest(&self) {
        let mut state = self.state.lock();
        state.segments.pop_front();
        let trimmed = state.trimmed();
        while let Some(entry) = state
            .recent
            .pop_front_if(|entry| entry.position.minor() <= trimmed)
        {
            state.recent_bytes -= ENTRY_BYTES + entry.payload.len();
        }
    }

    /// Marks the log as closed.
    pub(crate) fn close(&self) {
        self.status.send_modify(|status| status.is_closed = true);
    }
}
