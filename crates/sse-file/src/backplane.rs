//! A log on disk for one process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use sse_core::{
    Retention,
    backplane::{
        Appended, Backplane, BackplaneError, Bounds, Cursor, Lease, MemoryBackplane, NewEntry,
        Page, ReadLimit, Signals, Tail,
    },
};
use tokio::{sync::oneshot, task, time::timeout};

use crate::{
    append_queue::{AppendQueue, NoPlace, Pending},
    config::FileConfig,
    directory::Directory,
    error::OpenError,
    log::{FileLog, RESPONSE_TIMEOUT, closed},
    storage::{OpenStorage, open_file},
    tail::FileTail,
    writer,
};

/// An event log in a directory, for one process. A clone is cheap and is the same log.
///
/// When the last clone is dropped, a thread still writes all pending appends and then ends;
/// [`close`](Self::close) waits for that thread.
///
/// ```no_run
/// use sse_core::Manager;
/// use sse_file::{FileBackplane, FileConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let backplane = FileBackplane::open("/var/lib/shop/events", FileConfig::default()).await?;
/// let manager = Manager::builder().backplane(backplane).build()?;
/// assert!(manager.started().await);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct FileBackplane(Arc<SharedLog>);

#[derive(Debug)]
struct SharedLog {
    log: Arc<FileLog>,
    queue: Arc<AppendQueue>,
    entry_bytes: usize,
    /// Signals and leases. Only one process uses the log, so they never leave the process.
    beside: MemoryBackplane,
}

impl Drop for SharedLog {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl FileBackplane {
    /// Opens the log in a directory, and creates both if they do not exist. Must be called within a
    /// tokio runtime.
    ///
    /// Reads the segment that was written last, and those of the last two minutes: usually at most
    /// an eighth of the log.
    ///
    /// # Errors
    /// [`OpenError`], for example [`OpenError::Locked`] if the directory is in use, or
    /// [`OpenError::Damaged`].
    pub async fn open(dir: impl Into<PathBuf>, config: FileConfig) -> Result<Self, OpenError> {
        let dir = dir.into();
        let open = move || Self::open_with(&dir, config, open_file);
        task::spawn_blocking(open)
            .await
            .map_err(|_| OpenError::Runtime)?
    }

    fn open_with(
        dir: &Path,
        config: FileConfig,
        open_storage: OpenStorage,
    ) -> Result<Self, OpenError> {
        config.check()?;
        let directory = Directory::open(dir)?;
        let limit = ReadLimit {
            entries: config.pending_entries,
            bytes: config.pending_bytes,
        };
        let (queue, entry_bytes) = (Arc::new(AppendQueue::new(limit)), config.entry_bytes);
        let (log, writer) = writer::open(directory, config, open_storage, Arc::clone(&queue))?;
        writer.start().map_err(OpenError::io(dir))?;
        let beside = MemoryBackplane::new(Retention::default());
        Ok(Self(Arc::new(SharedLog {
            log,
            queue,
            entry_bytes,
            beside,
        })))
    }

    /// Closes the log to new appends, on every clone. Resolves when every pending append has
    /// succeeded or failed, the log is synced if the disk permits it, and the directory can be
    /// opened again.
    ///
    /// Further appends fail with [`BackplaneError::Unavailable`]. Tails return the remaining
    /// entries, and then the same error.
    ///
    /// *Cancel safety.* Once polled, the future closes the log even if it is dropped.
    pub async fn close(&self) {
        self.0.queue.close();
        let mut status = self.0.log.status();
        // The log exists as long as this handle does, so the sender of the status exists.
        status.wait_for(|status| status.is_closed).await.ok();
    }

    fn check(&self, entry: &NewEntry) -> Result<(), BackplaneError> {
        let (size, limit) = (entry.payload.len(), self.0.entry_bytes);
        if size > limit {
            Err(BackplaneError::TooLarge { size, limit })
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Backplane for FileBackplane {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        Ok(self.0.log.bounds())
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        self.check(&entry)?;
        let (reply, answer) = oneshot::channel();
        self.0
            .queue
            .push(Pending { entry, reply })
            .map_err(|no_place| match no_place {
                NoPlace::Full => BackplaneError::Busy,
                NoPlace::Closed => closed(),
            })?;
        match timeout(RESPONSE_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|_| closed())?,
            Err(_) => Err(BackplaneError::unavailable(
                Duration::from_secs(1),
                "the disk takes too long to write",
            )),
        }
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        self.0.log.page(after, limit).await
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        Ok(self.0.log.rewind(entries))
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        self.0.log.check(after)?;
        Ok(Box::new(FileTail::new(
            Arc::clone(&self.0.log),
            after.clone(),
        )))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        self.0.beside.signal(payload).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        self.0.beside.signals().await
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        self.0.beside.hold_lease(lease, term).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        self.0.beside.drop_lease(node).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        self.0.beside.leases().await
    }
}
