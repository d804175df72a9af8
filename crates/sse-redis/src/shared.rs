//! State that all parts of a backplane share.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use redis::Cmd;
use tokio::time::Instant;

use crate::{
    append::commands::Template,
    config::RedisConfig,
    connection::{backoff::ConnectBackoff, server::RedisServer},
    high_water_marks::HighWaterMarks,
    keys::Keys,
    page_size::PageSize,
    reply,
};

/// State that all parts of a backplane share.
pub(crate) struct Shared {
    pub(crate) server: RedisServer,
    pub(crate) keys: Keys,
    pub(crate) config: RedisConfig,
    pub(crate) high_water_marks: HighWaterMarks,
    pub(crate) page_size: PageSize,
    /// The command that appends an entry without a key. The payload is its last argument.
    pub(crate) append: Template,
    pub(crate) backoff: ConnectBackoff,
    /// Number of connections so far, which numbers the next.
    pub(crate) connections: AtomicU64,
    started: Instant,
    /// Time of the last trimming, in milliseconds since the start, plus one.
    trimmed: AtomicU64,
}

/// Interval between trimmings of the log. Trimming is part of another request to the server.
const TRIMMING: Duration = Duration::from_secs(1);

impl Shared {
    pub(crate) fn new(server: RedisServer, keys: Keys, config: RedisConfig) -> Self {
        let append = Template::new(append(&keys.log, config.retention.entries));
        Self {
            server,
            keys,
            config,
            high_water_marks: HighWaterMarks::default(),
            page_size: PageSize::default(),
            append,
            backoff: ConnectBackoff::default(),
            connections: AtomicU64::new(0),
            started: Instant::now(),
            trimmed: AtomicU64::new(0),
        }
    }

    /// Returns `true` if the log is due to be trimmed. Only one caller gets `true` each time.
    pub(crate) fn trimming_is_due(&self) -> bool {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let last = self.trimmed.load(Ordering::Relaxed);
        let due = last == 0 || Duration::from_millis(now - last.min(now)) >= TRIMMING;
        due && self
            .trimmed
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

/// Returns the command that appends an entry, without the payload.
fn append(log: &str, entries: usize) -> Cmd {
    let mut command = redis::cmd("XADD");
    command
        .arg(log)
        .arg("NOMKSTREAM")
        .arg("MAXLEN")
        .arg("~")
        .arg(entries.max(1))
        .arg("*")
        .arg(reply::PAYLOAD);
    command
}
