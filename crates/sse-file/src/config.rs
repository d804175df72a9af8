//! How a log is kept.

use std::time::Duration;

use sse_core::Retention;

use crate::{error::OpenError, segment::MAX_SEGMENT_BYTES};

/// How a log is kept.
///
/// ```
/// use std::time::Duration;
/// use sse_core::Retention;
/// use sse_file::{FileConfig, SyncPolicy};
///
/// let config = FileConfig::default()
///     .retention(Retention::default().entries(1_000_000).bytes(1 << 30))
///     .sync(SyncPolicy::Interval(Duration::from_millis(200)));
/// # drop(config);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileConfig {
    /// How much is kept. What is too old goes by segments of an eighth: up to an eighth more than
    /// `entries` and `age` say is there, and never more than `bytes`, a single entry apart.
    pub retention: Retention,
    /// When what was written is made to survive a loss of power. Default: before each
    /// acknowledgement.
    pub sync: SyncPolicy,
    /// Bytes of the largest payload. Default 8 MiB; 1 byte to 64 MiB.
    pub entry_bytes: usize,
    /// Appends that may wait for the disk; one more is [`Busy`](sse_core::BackplaneError::Busy).
    /// Default 16,384; 1 to 1,000,000.
    pub pending_entries: usize,
    /// Bytes of payloads that may wait for the disk, one entry always. Default 32 MiB; 1 KiB to 1
    /// GiB.
    pub pending_bytes: usize,
    /// Bytes of the latest entries that are held in memory for those who follow closely. Default 8
    /// MiB; up to 1 GiB.
    pub recent_bytes: usize,
}

/// When what was written is made to survive a loss of power.
///
/// A crash or `kill -9` of the process loses nothing that was acknowledged, whatever is chosen
/// here: what was written is the operating system's. Only a crash of *that*, or of the machine,
/// makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// `fdatasync` before each acknowledgement; what comes meanwhile waits for the next one and
    /// shares it. Nothing acknowledged is lost, as far as the disk keeps its word.
    #[default]
    EveryBatch,
    /// `fdatasync` this long after a write, 1 ms to 1 h. What was acknowledged since the last one
    /// may be lost with the machine; a log that finds itself after such an end has a new epoch, so
    /// that everybody is told.
    Interval(Duration),
    /// When a segment is full and when the log is closed; otherwise whenever the system likes. As
    /// [`Interval`](Self::Interval), with more to lose.
    Never,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            sync: SyncPolicy::default(),
            entry_bytes: 8 << 20,
            pending_entries: 16_384,
            pending_bytes: 32 << 20,
            recent_bytes: 8 << 20,
        }
    }
}

impl FileConfig {
    /// Keeps so much.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Syncs then.
    #[must_use]
    pub fn sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// Takes payloads of so many bytes.
    #[must_use]
    pub fn entry_bytes(mut self, bytes: usize) -> Self {
        self.entry_bytes = bytes;
        self
    }

    /// Lets so many appends wait.
    #[must_use]
    pub fn pending_entries(mut self, entries: usize) -> Self {
        self.pending_entries = entries;
        self
    }

    /// Lets so many bytes wait.
    #[must_use]
    pub fn pending_bytes(mut self, bytes: usize) -> Self {
        self.pending_bytes = bytes;
        self
    }

    /// Holds so many bytes in memory.
    #[must_use]
    pub fn recent_bytes(mut self, bytes: usize) -> Self {
        self.recent_bytes = bytes;
        self
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let interval = match self.sync {
            SyncPolicy::Interval(interval) => interval,
            SyncPolicy::EveryBatch | SyncPolicy::Never => Duration::from_secs(1),
        };
        let retention = &self.retention;
        let checks = [
            (
                "retention.entries",
                (1..=100_000_000).contains(&retention.entries),
                "1 to 100,000,000",
            ),
            (
                "retention.bytes",
                (1 << 10..=1 << 40).contains(&retention.bytes),
                "1 KiB to 1 TiB",
            ),
            (
                "retention.age",
                (Duration::from_secs(1)..=10 * YEAR).contains(&retention.age),
                "1 s to 10 years",
            ),
            (
                "sync",
                (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&interval),
                "an interval of 1 ms to 1 h",
            ),
            (
                "entry_bytes",
                (1..=64 << 20).contains(&self.entry_bytes),
                "1 byte to 64 MiB",
            ),
            (
                "pending_entries",
                (1..=1_000_000).contains(&self.pending_entries),
                "1 to 1,000,000",
            ),
            (
                "pending_bytes",
                (1 << 10..=1 << 30).contains(&self.pending_bytes),
                "1 KiB to 1 GiB",
            ),
            (
                "recent_bytes",
                self.recent_bytes <= 1 << 30,
                "at most 1 GiB",
            ),
        ];
        match checks.into_iter().find(|(_, is_good, _)| !is_good) {
            Some((setting, _, range)) => Err(OpenError::Setting { setting, range }),
            None => Ok(()),
        }
    }

    /// A segment is full with so many entries.
    pub(crate) fn segment_entries(&self) -> u64 {
        (self.retention.entries as u64).div_ceil(8)
    }

    /// A segment is full with so many bytes.
    pub(crate) fn segment_bytes(&self) -> u64 {
        (self.retention.bytes / 8).min(MAX_SEGMENT_BYTES)
    }

    /// A segment is full after so long.
    pub(crate) fn segment_age(&self) -> Duration {
        self.retention.age / 8
    }
}
