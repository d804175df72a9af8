//! A log in the memory of this process.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, timeout},
};

use crate::{
    backplane::{
        Appended, Backplane, BackplaneError, Batch, Bounds, Entry, Lease, NewEntry, Page,
        ReadLimit, Signals, Tail,
    },
    event::cursor::{Cursor, Epoch, Position},
    log::{idempotency::IdempotencyKeys, retention::Retention},
    sync::Mutex,
};

/// A log in the memory of this process, shared by several managers. A clone is cheap and refers to
/// the same log. A single manager needs no backplane, because it holds its own log; see
/// [`ManagerBuilder::log`](crate::ManagerBuilder::log).
///
/// ```
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager, Retention, backplane::MemoryBackplane};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backplane = MemoryBackplane::new(Retention::default());
/// let one = Manager::builder().backplane(backplane.clone()).build()?;
/// let two = Manager::builder().backplane(backplane).build()?;
/// assert!(one.started().await && two.started().await);
///
/// let mut stream = two.connect(Handshake::new().user("42"))?;
/// one.user("42").publish(Event::text("hello")).await?;
/// stream.next().await; // `connection`
/// assert!(stream.next().await.unwrap().ends_with(b"data: hello\n\n"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryBackplane(Arc<MemoryLog>);

#[derive(Debug)]
struct MemoryLog {
    log: Mutex<StoredLog>,
    retention: Retention,
    /// Position of the last entry.
    head: watch::Sender<Position>,
    signals: broadcast::Sender<Bytes>,
}

#[derive(Debug)]
struct StoredLog {
    epoch: Epoch,
    entries: VecDeque<(Instant, Entry)>,
    bytes: u64,
    trimmed: Position,
    head: u64,
    keys: IdempotencyKeys<Position>,
    leases: HashMap<Arc<str>, (Instant, Bytes)>,
}

/// Memory of an entry in bytes, without its payload.
const ENTRY_BYTES: u64 = 64;

/// Maximum number of signals that wait for one subscriber.
const WAITING_SIGNALS: usize = 4096;

/// Interval at which a tail resolves without entries.
const PULSE: Duration = Duration::from_secs(1);

/// Maximum size of a batch of a tail.
const BATCH: ReadLimit = ReadLimit {
    entries: 1024,
    bytes: 4 << 20,
};

impl MemoryBackplane {
    /// Creates an empty log.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        let log = StoredLog {
            epoch: Epoch::random(),
            entries: VecDeque::new(),
            bytes: 0,
            trimmed: Position::ZERO,
            head: 0,
            keys: IdempotencyKeys::default(),
            leases: HashMap::new(),
        };
        Self(Arc::new(MemoryLog {
            log: Mutex::new(log),
            retention,
            head: watch::Sender::new(Position::ZERO),
            signals: broadcast::Sender::new(WAITING_SIGNALS),
        }))
    }

    /// Removes all entries and all idempotency keys, and starts a new epoch at position zero, like
    /// a broker that restarts without its data.
    pub fn clear(&self) {
        let mut log = self.0.log.lock();
        log.epoch = Epoch::random();
        log.entries.clear();
        log.keys.clear();
        (log.bytes, log.head, log.trimmed) = (0, 0, Position::ZERO);
        self.0.head.send_replace(Position::ZERO);
    }
}

impl MemoryBackplane {
    /// Starts a new epoch whose end is `entries` positions earlier, as after a failover to a
    /// replica that lacks the latest entries. All entries before the new end count as trimmed, and
    /// no idempotency key is remembered.
    pub fn lose_latest(&self, entries: u64) {
        let mut log = self.0.log.lock();
        log.epoch = Epoch::random();
        log.head = log.head.saturating_sub(entries);
        log.trimmed = log.head.into();
        log.entries.clear();
        log.keys.clear();
        log.bytes = 0;
        self.0.head.send_replace(log.head.into());
    }
}

impl StoredLog {
    fn trim(&mut self, retention: &Retention) {
        let now = Instant::now();
        while let Some((at, entry)) = self.entries.front() {
            let keeps = self.entries.len() <= retention.entries
                && self.bytes <= retention.bytes
                && now.duration_since(*at) < retention.age;
            if keeps {
                return;
            }
            self.trimmed = entry.position;
            self.bytes -= ENTRY_BYTES + entry.payload.len() as u64;
            self.entries.pop_front();
        }
    }

    fn append(&mut self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        if let Some(key) = &entry.key {
            if let Some(position) = self.keys.get(key.text()) {
                return Ok(Appended {
                    cursor: Cursor::new(self.epoch.clone(), *position),
                    duplicate: true,
                });
            }
            self.keys.check_room(key)?;
        }
        self.head += 1;
        let position = Position::from(self.head);
        if let Some(key) = entry.key {
            self.keys.insert(Arc::clone(key.text()), position);
        }
        self.bytes += ENTRY_BYTES + entry.payload.len() as u64;
        self.entries.push_back((
            Instant::now(),
            Entry {
                position,
                payload: entry.payload,
            },
        ));
        Ok(Appended {
            cursor: Cursor::new(self.epoch.clone(), position),
            duplicate: false,
        })
    }

    fn check(&self, after: &Cursor) -> Result<(), BackplaneError> {
        if after.epoch != self.epoch {
            return Err(BackplaneError::Epoch {
                current: self.epoch.clone(),
            });
        }
        if after.position < self.trimmed {
            return Err(BackplaneError::Trimmed {
                trimmed: self.trimmed,
            });
        }
        let head = Position::from(self.head);
        if after.position > head {
            return Err(BackplaneError::Future { head });
        }
        Ok(())
    }

    fn page(&self, after: Position, limit: ReadLimit) -> Page {
        let from = self
            .entries
            .partition_point(|(_, entry)| entry.position <= after);
        let mut left = limit.bytes;
        let mut page = Page::default();
        for (_, entry) in self.entries.iter().skip(from).take(limit.entries.max(1)) {
            if !page.entries.is_empty() && entry.payload.len() > left {
                break;
            }
            left = left.saturating_sub(entry.payload.len());
            page.entries.push(entry.clone());
        }
        page.at_head = from + page.entries.len() == self.entries.len();
        page
    }
}

#[async_trait]
impl Backplane for MemoryBackplane {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        let mut log = self.0.log.lock();
        log.trim(&self.0.retention);
        Ok(Bounds {
            epoch: log.epoch.clone(),
            trimmed: log.trimmed,
            head: log.head.into(),
        })
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        let mut log = self.0.log.lock();
        let appended = log.append(entry)?;
        log.trim(&self.0.retention);
        self.0.head.send_replace(log.head.into());
        Ok(appended)
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        let mut log = self.0.log.lock();
        log.trim(&self.0.retention);
        log.check(after)?;
        Ok(log.page(after.position, limit))
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        let mut log = self.0.log.lock();
        log.trim(&self.0.retention);
        let position = Position::from(log.head.saturating_sub(entries)).max(log.trimmed);
        Ok(Cursor::new(log.epoch.clone(), position))
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        self.0.log.lock().check(after)?;
        Ok(Box::new(MemoryTail {
            shared: Arc::clone(&self.0),
            head: self.0.head.subscribe(),
            after: after.clone(),
        }))
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        // A signal without subscribers is not an error.
        self.0.signals.send(payload).ok();
        Ok(())
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        Ok(Box::new(MemorySignals(self.0.signals.subscribe())))
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        self.0
            .log
            .lock()
            .leases
            .insert(lease.node, (Instant::now() + term, lease.payload));
        Ok(())
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        self.0.log.lock().leases.remove(node);
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        let now = Instant::now();
        let mut log = self.0.log.lock();
        log.leases.retain(|_, (end, _)| *end > now);
        let lease = |(node, (_, payload)): (&Arc<str>, &(Instant, Bytes))| Lease {
            node: Arc::clone(node),
            payload: payload.clone(),
        };
        Ok(log.leases.iter().map(lease).collect())
    }
}

struct MemoryTail {
    shared: Arc<MemoryLog>,
    head: watch::Receiver<Position>,
    after: Cursor,
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        self.head.mark_unchanged();
        let mut page = self.page()?;
        if page.entries.is_empty() {
            // After a change, a timeout, or the end of all senders, a read shows which entries
            // exist.
            timeout(PULSE, self.head.changed()).await.ok();
            page = self.page()?;
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

impl MemoryTail {
    fn page(&self) -> Result<Page, BackplaneError> {
        let log = self.shared.log.lock();
        log.check(&self.after)?;
        Ok(log.page(self.after.position, BATCH))
    }
}

struct MemorySignals(broadcast::Receiver<Bytes>);

#[async_trait]
impl Signals for MemorySignals {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        self.0
            .recv()
            .await
            .map_err(|error| BackplaneError::unavailable(Duration::ZERO, error))
    }
}
