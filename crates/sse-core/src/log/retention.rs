//! How much of a log is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::serde_duration;

/// How much of a log is kept: the oldest entries go when any of these is exceeded.
///
/// Reads and writes as TOML, JSON and the like; durations are texts (`"1h"`) or numbers of
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Retention {
    /// Entries. Default 100,000; 1 to 100,000,000.
    pub entries: usize,
    /// Bytes that the entries take, in memory with all that is held for them, in storage as they
    /// are written. Default 64 MiB; 1 KiB to 1 TiB.
    pub bytes: u64,
    /// How long an entry is kept. Default 24 h; 1 s to 10 years.
    #[serde(with = "serde_duration")]
    pub age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 64 << 20,
            age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Retention {
    /// Keeps so many entries.
    #[must_use]
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Keeps so many bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Keeps entries so long.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }
}
