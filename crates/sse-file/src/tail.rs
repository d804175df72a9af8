//! Follows a log.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sse_core::backplane::{BackplaneError, Batch, Cursor, ReadLimit, Tail};
use tokio::{sync::watch, time::timeout};

use crate::log::{FileLog, LogStatus, closed};

/// Interval at which a tail reports that it is alive.
const PULSE: Duration = Duration::from_secs(1);

/// Limits of the entries that a tail returns at once.
const BATCH: ReadLimit = ReadLimit {
    entries: 1024,
    bytes: 4 << 20,
};

#[derive(Debug)]
pub(crate) struct FileTail {
    log: Arc<FileLog>,
    status: watch::Receiver<LogStatus>,
    after: Cursor,
}

impl FileTail {
    pub(crate) fn new(log: Arc<FileLog>, after: Cursor) -> Self {
        Self {
            status: log.status(),
            log,
            after,
        }
    }
}

#[async_trait]
impl Tail for FileTail {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        self.status.mark_unchanged();
        let mut page = self.log.page(&self.after, BATCH).await?;
        if page.entries.is_empty() {
            if self.status.borrow().is_closed {
                return Err(closed());
            }
            // Either the status changed or the time is over; the next check finds out.
            timeout(PULSE, self.status.changed()).await.ok();
            page = self.log.page(&self.after, BATCH).await?;
        }
        if let Some(last) = page.entries.last() {
            self.after.position = last.position;
        }
        Ok(Batch {
            entries: page.entries,
            at_head: page.at_head,
        })
    }
}
