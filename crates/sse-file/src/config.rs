//! Configuration of a log.

use std::time::Duration;

use sse_core::Retention;

use crate::{error::OpenError, segment::MAX_SEGMENT_BYTES};

/// Configuration of a log.
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
    /// Retention of the log: 1 to 100,000,000 entries, 1 KiB to 1 TiB, and 1 s to 10 years. Old
    /// entries are removed by segments of an eighth of the log. Up to an eighth more than `entries`
    /// and `age` is kept. `bytes` is never exceeded, except by a single entry.
    pub retention: Retention,
    /// Policy for making writes survive a loss of power. Default: before each acknowledgement.
    pub sync: SyncPolicy,
    /// Maximum number of bytes of a payload. A larger entry fails with
    /// [`TooLarge`](sse_core::backplane::BackplaneError::TooLarge). Default 8 MiB; 1 byte to 64
    /// MiB.
    pub entry_bytes: usize,
    /// Maximum number of appends that wait for the disk; a further append fails with
    /// [`Busy`](sse_core::backplane::BackplaneError::Busy). Default 16,384; 1 to 1,000,000.
    pub pending_entries: usize,
    /// Maximum number of bytes of payloads that wait for the disk; a single entry is always
    /// accepted. Default 32 MiB; 1 KiB to 1 GiB.
    pub pending_bytes: usize,
    /// Bytes of the latest entries that are kept in memory for tails near the head. Default 8 MiB;
    /// up to 1 GiB.
    pub recent_bytes: usize,
}

/// Policy for making writes survive a loss of power.
///
/// A crash or `kill -9` of the process loses no acknowledged entry under any policy, because the
/// operating system has the written data. The policies differ only for a crash of the operating
/// system or of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// Calls `fdatasync` before each acknowledgement. Appends that arrive meanwhile wait for the
    /// next call and share it. No acknowledged entry is lost, unless the disk loses synced data.
    #[default]
    EveryBatch,
    /// Calls `fdatasync` this long after a write, 1 ms to 1 h. Entries that were acknowledged since
    /// the last call may be lost with the machine. A log that is opened after such a crash reports
    /// a gap to every client that may have missed an entry.
    Interval(Duration),
    /// Syncs when a segment is full and when the log is closed; otherwise the operating system
    /// decides. The entries of one segment at most can be lost with the machine, and are reported
    /// as with [`Interval`](Self::Interval).
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
    /// Sets the retention.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the sync policy.
    #[must_use]
    pub fn sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// Sets the maximum number of bytes of a payload.
    #[must_use]
    pub fn entry_bytes(mut self, bytes: usize) -> Self {
        self.entry_bytes = bytes;
        self
    }

    /// Sets the maximum number of appends that wait for the disk.
    #[must_use]
    pub fn pending_entries(mut self, entries: usize) -> Self {
        self.pending_entries = entries;
        self
    }

    /// Sets the maximum number of bytes that wait for the disk.
    #[must_use]
    pub fn pending_bytes(mut self, bytes: usize) -> Self {
        self.pending_bytes = bytes;
        self
    }

    /// Sets the number of bytes of the latest entries in memory.
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

    /// Returns the maximum number of entries of a segment.
    pub(crate) fn segment_entries(&self) -> u64 {
        (self.retention.entries as u64).div_ceil(8)
    }

    /// Returns the maximum number of bytes of a segment.
    pub(crate) fn segment_bytes(&self) -> u64 {
        (self.retention.bytes / 8).min(MAX_SEGMENT_BYTES)
    }

    /// Returns the maximum age of a segment.
    pub(crate) fn segment_age(&self) -> Duration {
        self.retention.age / 8
    }
}
