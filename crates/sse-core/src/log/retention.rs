//! Retention of logs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::serde_duration;

/// The limits of a log. The oldest entries are removed when any limit is exceeded.
///
/// The limits can be read and written as TOML, JSON and similar formats. Durations are texts
/// (`"1h"`) or numbers of milliseconds.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Event, Manager, Retention};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hour = Duration::from_secs(60 * 60);
/// let retention = Retention::default().entries(10_000).age(hour);
/// let manager = Manager::builder().log(retention).build()?;
///
/// let receipt = manager.all().publish(Event::text("logged")).await?;
/// assert!(receipt.id.is_some());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Retention {
    /// Maximum number of entries. Default 100,000; 1 to 100,000,000.
    pub entries: usize,
    /// Maximum size of all entries in bytes: in memory with everything that is held for them, in
    /// storage as they are written. Default 64 MiB; 1 KiB to 1 TiB.
    pub bytes: u64,
    /// Maximum age of an entry. Default 24 h; 1 s to 10 years.
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
    /// Sets the maximum number of entries.
    #[must_use]
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Sets the maximum size of all entries in bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the maximum age of an entry.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }
}
