//! Transport of published events between nodes.

pub(crate) mod acceptance;
pub(crate) mod envelope;
pub(crate) mod in_flight;
pub(crate) mod memory;
pub(crate) mod receipt;
pub(crate) mod retry_budget;
pub(crate) mod signal_handler;

pub use self::{memory::MemoryBackplane, signal_handler::SignalHandler};
pub use crate::{
    backoff::Backoff,
    clock::unix_ms,
    event::cursor::{Cursor, CursorError, Epoch, Position},
    log::{
        entry_key::{EntryKey, IdempotencyKeyError, MAX_ENTRY_KEY_BYTES, MAX_KEY_BYTES},
        idempotency::{IdempotencyKeys, KEY_WINDOW},
    },
};

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use tokio::time::timeout;

use crate::log::key_limits::KeysFull;

/// An ordered log that every node appends to and follows, together with signals and leases.
/// Published events go into the backplane and come out of it.
///
/// A backplane moves bytes; only the managers interpret them. Any number of tasks can call every
/// method at any time. Implementations reconnect automatically, with jitter and back-off, and fail
/// fast with [`BackplaneError::Unavailable`] while no server is reachable. Every call except
/// [`Tail::next`] and [`Signals::next`] must return within about 10 seconds. Every buffer and queue
/// must be bounded.
///
/// *Epochs.* A position is valid in one epoch only. An implementation must notice when entries that
/// it acknowledged or returned are no longer in the log, whatever the cause: the log was deleted,
/// created again, or replaced by a copy that lacks the last entries, even if the copy holds newer
/// entries at higher positions. The implementation must then assign the log a new epoch. A call
/// with a cursor of another epoch fails with [`BackplaneError::Epoch`].
///
/// *Errors.* Every method can fail with [`BackplaneError::Unavailable`],
/// [`BackplaneError::Blocked`], [`BackplaneError::Busy`] or [`BackplaneError::Rejected`]. The
/// methods list their other errors.
///
/// The testkit has a test suite that every implementation must pass.
///
/// ```
/// use std::sync::Arc;
///
/// use sse_core::{Event, Manager, Retention, backplane::{Backplane, Cursor, MemoryBackplane}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A program that chooses its backplane at run time shares it as a trait object.
/// let backplane: Arc<dyn Backplane> = Arc::new(MemoryBackplane::new(Retention::default()));
/// let manager = Manager::builder().backplane(Arc::clone(&backplane)).build()?;
/// assert!(manager.started().await);
///
/// let receipt = manager.all().publish(Event::text("hello")).await?;
/// let bounds = backplane.bounds().await?;
/// assert_eq!(receipt.id, Some(Cursor::new(bounds.epoch, bounds.head).to_id()));
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Backplane: Send + Sync + 'static {
    /// Returns the kind of the backplane for logs and metrics: `memory`, `file`, `redis`, `nats`.
    fn name(&self) -> &'static str;

    /// Returns the epoch of the current log and the range of entries it holds. Creates the log if
    /// it does not exist.
    ///
    /// # Errors
    /// The errors that every method can have; never [`BackplaneError::Epoch`].
    async fn bounds(&self) -> Result<Bounds, BackplaneError>;

    /// Appends an entry. Resolves once the backplane has acknowledged the entry, with the
    /// durability that the backplane is configured for.
    ///
    /// If one task awaits several appends in turn, the log keeps their order. *Cancel safety.* If
    /// the future is dropped, the entry can still have been appended.
    ///
    /// # Errors
    /// [`BackplaneError::KeysFull`] if the entry has a new key beyond its limits,
    /// [`BackplaneError::TooLarge`] if the payload exceeds the maximum size.
    ///
    /// After [`BackplaneError::Unavailable`] the entry can still have been appended; a caller that
    /// retries avoids a second entry with a [key](NewEntry::key). After any other error the entry
    /// was not appended.
    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError>;

    /// Returns the oldest entries after a cursor: as many as the limit allows, and at least one
    /// entry if the log has any after the cursor.
    ///
    /// # Errors
    /// [`BackplaneError::Epoch`], [`BackplaneError::Trimmed`] or [`BackplaneError::Future`] if the
    /// cursor is not readable. [`BackplaneError::Damaged`] if the entry after the cursor is
    /// unreadable; a page that reaches an unreadable entry ends before that entry.
    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError>;

    /// Returns a cursor before the latest `entries` entries, or before all entries if the log has
    /// fewer.
    ///
    /// # Errors
    /// The errors that every method can have.
    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError>;

    /// Follows the log after a cursor.
    ///
    /// # Errors
    /// As [`Backplane::read`].
    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError>;

    /// Sends a signal to every node that listens now, this node included. A signal is delivered at
    /// most once, is not stored, and has no order relative to the log.
    ///
    /// # Errors
    /// [`BackplaneError::TooLarge`] if the payload exceeds the maximum size.
    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError>;

    /// Subscribes to signals from now on.
    ///
    /// # Errors
    /// The errors that every method can have.
    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError>;

    /// Registers a node as connected for `term`. Replaces the node's earlier lease.
    ///
    /// # Errors
    /// [`BackplaneError::TooLarge`] if the payload exceeds the maximum size.
    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError>;

    /// Removes the lease of a node. A node without a lease is not an error.
    ///
    /// # Errors
    /// The errors that every method can have.
    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError>;

    /// Returns the nodes whose leases have not expired, in no particular order.
    ///
    /// # Errors
    /// The errors that every method can have.
    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError>;
}

/// A backplane that is shared, or chosen at run time.
#[async_trait]
impl<B: Backplane + ?Sized> Backplane for Arc<B> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn bounds(&self) -> Result<Bounds, BackplaneError> {
        (**self).bounds().await
    }

    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        (**self).append(entry).await
    }

    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError> {
        (**self).read(after, limit).await
    }

    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        (**self).rewind(entries).await
    }

    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError> {
        (**self).tail(after).await
    }

    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        (**self).signal(payload).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError> {
        (**self).signals().await
    }

    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError> {
        (**self).hold_lease(lease, term).await
    }

    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError> {
        (**self).drop_lease(node).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError> {
        (**self).leases().await
    }
}

/// A subscription to the log, created by [`Backplane::tail`].
///
/// ```
/// use sse_core::{Retention, backplane::{Backplane, Cursor, MemoryBackplane, NewEntry, Position}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = MemoryBackplane::new(Retention::default());
/// let start = Cursor::new(log.bounds().await?.epoch, Position::ZERO);
/// let mut tail = log.tail(&start).await?;
///
/// log.append(NewEntry { payload: "hello".into(), key: None }).await?;
/// let batch = tail.next().await?;
/// assert_eq!(batch.entries[0].payload, "hello");
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Tail: Send {
    /// Returns the next entries, in order, each exactly once.
    ///
    /// Resolves after about one second at the latest, with an empty batch if the log has no new
    /// entries. The manager abandons a tail that does not resolve within 5 seconds. An error ends
    /// the tail: create a new tail from the last entry received. *Cancel safety.* A dropped future
    /// ends the tail as well.
    ///
    /// # Errors
    /// [`BackplaneError::Epoch`] if the log was replaced by another log,
    /// [`BackplaneError::Trimmed`] if entries were removed before the tail returned them,
    /// [`BackplaneError::Damaged`] if the next entries are unreadable; a new tail continues after
    /// them. [`BackplaneError::Unavailable`] if the connection is lost.
    async fn next(&mut self) -> Result<Batch, BackplaneError>;
}

/// A subscription to signals, created by [`Backplane::signals`].
///
/// ```
/// use sse_core::{Retention, backplane::{Backplane, MemoryBackplane}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backplane = MemoryBackplane::new(Retention::default());
/// let mut signals = backplane.signals().await?;
///
/// backplane.signal("hello".into()).await?;
/// assert_eq!(signals.next().await?, "hello");
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Signals: Send {
    /// Returns the next signal. Waits without a time limit. *Cancel safety.* If the future is
    /// dropped, no signal is lost.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if the connection or signals were lost; continue with a new
    /// subscription.
    async fn next(&mut self) -> Result<Bytes, BackplaneError>;
}

/// The epoch of a log and the range of entries it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Epoch of the log.
    pub epoch: Epoch,
    /// Last position that the log no longer holds: entries up to and including this position were
    /// removed. [`Position::ZERO`] if no entry was ever removed.
    pub trimmed: Position,
    /// Position of the last entry; `trimmed` if the log has no entries.
    pub head: Position,
}

/// An entry to append.
///
/// ```
/// use sse_core::{Retention, backplane::{Backplane, Cursor, MemoryBackplane, NewEntry, Position, ReadLimit}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = MemoryBackplane::new(Retention::default());
/// log.append(NewEntry { payload: "hello".into(), key: None }).await?;
///
/// let start = Cursor::new(log.bounds().await?.epoch, Position::ZERO);
/// let limit = ReadLimit { entries: 100, bytes: 1 << 20 };
/// let page = log.read(&start, limit).await?;
/// assert_eq!(page.entries[0].payload, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Content of the entry.
    pub payload: Bytes,
    /// Key against duplicates: of several appends under one key within about two minutes, only the
    /// first takes effect. Keys are compared by their [text](EntryKey::text). No key is forgotten
    /// early: an append under a new key beyond its [limits](EntryKey::limits) fails with
    /// [`BackplaneError::KeysFull`].
    pub key: Option<EntryKey>,
}

/// An acknowledged append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position of the entry, with its epoch.
    pub cursor: Cursor,
    /// `true` if the log already held an entry under the same key; no entry was appended by this
    /// call.
    pub duplicate: bool,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position of the entry.
    pub position: Position,
    /// The bytes that were appended.
    pub payload: Bytes,
}

/// Part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Entries of the page, in order.
    pub entries: Vec<Entry>,
    /// `true` if the log had no entries after these.
    pub at_head: bool,
}

/// Entries that a [`Tail`] returned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Entries of the batch, in order.
    pub entries: Vec<Entry>,
    /// `true` if the log had no entries after these when the batch was taken, as far as the
    /// backplane knows without another request.
    pub at_head: bool,
}

/// Limits of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Maximum number of entries.
    pub entries: usize,
    /// Maximum number of payload bytes. A single larger entry is returned all the same.
    pub bytes: usize,
}

/// Registration of a connected node.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Retention, backplane::{Backplane, Lease, MemoryBackplane}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backplane = MemoryBackplane::new(Retention::default());
/// let lease = Lease { node: "a1".into(), payload: "10.0.0.7:8080".into() };
/// backplane.hold_lease(lease.clone(), Duration::from_secs(10)).await?;
/// assert_eq!(backplane.leases().await?, [lease]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of the node: 1 to 64 ASCII letters and digits.
    pub node: Arc<str>,
    /// Information that the node publishes about itself, at most 64 KiB.
    pub payload: Bytes,
}

/// An error of a backplane. Errors of drivers are attached as sources, for logs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackplaneError {
    /// The server is unreachable, or did not respond in time. The call can have taken effect all
    /// the same.
    #[error("the backplane is unavailable")]
    Unavailable {
        /// Delay after which a retry makes sense.
        retry_after: Duration,
        /// Error of the driver.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server responds but rejects requests for the moment: its memory or disk is full, or it
    /// stopped accepting writes. The call had no effect. A retry succeeds once an operator or the
    /// backplane itself removes the cause.
    #[error("the backplane rejects requests for now: {reason}")]
    Blocked {
        /// The cause, and what an operator can do about it.
        reason: String,
        /// Error of the driver.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The maximum number of calls is in flight. The call had no effect.
    #[error("the backplane has too many calls in flight")]
    Busy,
    /// The maximum number of keys is remembered. The call had no effect.
    #[error(transparent)]
    KeysFull(#[from] KeysFull),
    /// The log is not the log of the cursor.
    #[error("cursor is from another log; the current epoch is {current}")]
    Epoch {
        /// Epoch of the current log.
        current: Epoch,
    },
    /// Some of the entries after the cursor were removed.
    #[error("entries up to {trimmed} have been trimmed")]
    Trimmed {
        /// Last position that was removed; entries after it are readable.
        trimmed: Position,
    },
    /// Entries after the cursor are permanently unreadable: they were altered since they were
    /// appended, or are missing.
    #[error("entries up to {to} are unreadable")]
    Damaged {
        /// Last position that is unreadable; always after the cursor. A read after this position
        /// works, or fails in turn.
        to: Position,
        /// Location and kind of the damage, for the operator.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The cursor is after the last entry.
    #[error("cursor is after the end of the log at {head}")]
    Future {
        /// Position of the last entry.
        head: Position,
    },
    /// The payload exceeds the maximum size. The call had no effect.
    #[error("payload has {size} bytes, more than the {limit} that the backplane accepts")]
    TooLarge {
        /// Size in bytes.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The server rejects requests until an operator changes something: wrong credentials, missing
    /// permissions, or data of another application under the backplane's names. A program can exit
    /// with this error when it starts. In a running program the error is handled like
    /// [`Blocked`](Self::Blocked).
    #[error("the backplane rejects requests: {reason}")]
    Rejected {
        /// Cause of the rejection, for the operator.
        reason: String,
        /// Error of the driver.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl BackplaneError {
    /// Creates a [`BackplaneError::Unavailable`].
    pub fn unavailable(
        retry_after: Duration,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            retry_after,
            source: source.into(),
        }
    }

    /// Creates a [`BackplaneError::Blocked`] without a source.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Blocked {
            reason: reason.into(),
            source: None,
        }
    }

    /// Creates a [`BackplaneError::Damaged`] for entries up to a position.
    pub fn damaged(to: Position, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged {
            to,
            source: source.into(),
        }
    }

    /// Creates a [`BackplaneError::Rejected`] without a source.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected {
            reason: reason.into(),
            source: None,
        }
    }
}

/// Timeout for a response of a backplane, other than the next entries of a tail.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the result of a call, or [`BackplaneError::Unavailable`] if the call takes longer than
/// `time`.
pub(crate) async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    match timeout(time, call).await {
        Ok(result) => result,
        Err(late) => Err(BackplaneError::unavailable(Duration::from_secs(1), late)),
    }
}
