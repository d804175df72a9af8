//! Where published events go and come from.

pub(crate) mod acceptance;
pub(crate) mod envelope;
pub(crate) mod in_flight;
pub(crate) mod leadership_state;
pub(crate) mod memory;
pub(crate) mod receipt;
pub(crate) mod retry_budget;
pub(crate) mod signal_handler;

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use tokio::time::timeout;

use crate::{
    event::cursor::{Cursor, Epoch, Position},
    log::{entry_key::EntryKey, key_limits::KeysFull},
};

/// An ordered log that every node appends to and follows, and what goes beside it: where published
/// events go and come from.
///
/// A backplane moves bytes; what is in them is the managers' business. Everything here may be
/// called at any time, from any number of tasks at once; implementations reconnect by themselves,
/// with jitter and back-off, and fail fast with [`BackplaneError::Unavailable`] while there is
/// nobody to talk to. No call may wait for more than about 10 seconds, [`Tail::next`] and
/// [`Signals::next`] apart; nothing may be unbounded.
///
/// *Epochs.* Positions mean something in one epoch only. An implementation must notice that what it
/// acknowledged or gave out is no longer there, however that came about (the log was deleted, made
/// again, or replaced by a copy that lacks the last entries, even when newer entries stand above
/// those), and give the log a new epoch then. Whatever was asked with a cursor of another epoch
/// fails with [`BackplaneError::Epoch`].
///
/// The testkit has a suite that every implementation passes.
#[async_trait]
pub trait Backplane: Send + Sync + 'static {
    /// What it is, for logs and metrics: `memory`, `file`, `redis`, `nats`.
    fn name(&self) -> &'static str;

    /// Which log there is now, and what it holds. Makes the log if there is none.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] and the like; never [`BackplaneError::Epoch`].
    async fn bounds(&self) -> Result<Bounds, BackplaneError>;

    /// Appends an entry; resolves when it is acknowledged, as durable as the backplane was set up
    /// to make it.
    ///
    /// Appends that one task awaits in turn stand in the log in that order. *Cancel safety.* A
    /// dropped future may have appended.
    ///
    /// # Errors
    /// After [`BackplaneError::Unavailable`] it may have been appended all the same, which a caller
    /// who tries again avoids by a [key](NewEntry::key). After any other error it was not.
    async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError>;

    /// The oldest entries behind a cursor: as many as there are within the limit, at least one if
    /// there is one.
    ///
    /// # Errors
    /// [`BackplaneError::Epoch`], [`BackplaneError::Trimmed`], [`BackplaneError::Future`] when the
    /// cursor is none that can be read from. [`BackplaneError::Damaged`] when the entry that
    /// follows it cannot be read; a page that reaches such an entry ends before it.
    async fn read(&self, after: &Cursor, limit: ReadLimit) -> Result<Page, BackplaneError>;

    /// A cursor that the latest `entries` entries follow, or all there are if they are fewer.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] and the like.
    async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError>;

    /// Follows the log behind a cursor.
    ///
    /// # Errors
    /// As [`Backplane::read`].
    async fn tail(&self, after: &Cursor) -> Result<Box<dyn Tail>, BackplaneError>;

    /// Tells every node that listens now, this one included: at most once, not kept, in no order
    /// towards the log.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`], [`BackplaneError::TooLarge`].
    async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError>;

    /// Listens to signals from now on.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] and the like.
    async fn signals(&self) -> Result<Box<dyn Signals>, BackplaneError>;

    /// Says that a node is there, for so long; replaces what it said before.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`], [`BackplaneError::TooLarge`].
    async fn hold_lease(&self, lease: Lease, term: Duration) -> Result<(), BackplaneError>;

    /// Says that a node is gone. One that holds no lease is no error.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`].
    async fn drop_lease(&self, node: &str) -> Result<(), BackplaneError>;

    /// The nodes whose terms have not ended, in no order.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`].
    async fn leases(&self) -> Result<Vec<Lease>, BackplaneError>;
}

/// One that is shared, or chosen when the program runs.
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

/// Follows a log.
#[async_trait]
pub trait Tail: Send {
    /// The next entries, in order, each once.
    ///
    /// Resolves after about a second at the latest, without entries if there are none: a caller
    /// takes one that does not for dead. After an error the tail is over; go on with a new one from
    /// the last entry that came. *Cancel safety.* After a dropped future, too.
    ///
    /// # Errors
    /// [`BackplaneError::Epoch`] when the log is another one now, [`BackplaneError::Trimmed`] when
    /// entries went before they came, [`BackplaneError::Damaged`] when the next ones cannot be
    /// read; a new tail goes on behind them. [`BackplaneError::Unavailable`] when the connection is
    /// gone.
    async fn next(&mut self) -> Result<Batch, BackplaneError>;
}

/// Listens to signals.
#[async_trait]
pub trait Signals: Send {
    /// The next signal. Waits as long as it takes. *Cancel safety.* Nothing is lost.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] when the connection is gone or signals were lost; go on with
    /// a new one.
    async fn next(&mut self) -> Result<Bytes, BackplaneError>;
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Which log it is.
    pub epoch: Epoch,
    /// Everything up to here is gone; what follows is held. [`Position::ZERO`] if nothing ever
    /// went.
    pub trimmed: Position,
    /// Where the last entry stands; `trimmed` if there is none.
    pub head: Position,
}

/// What is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The entry.
    pub payload: Bytes,
    /// Of several appends under one key within about two minutes only the first takes effect. Keys
    /// are told apart by their [text](EntryKey::text). A key is not forgotten before its time: an
    /// append under a new one that is beyond its [limits](EntryKey::limits) fails with
    /// [`BackplaneError::KeysFull`].
    pub key: Option<EntryKey>,
}

/// An acknowledged append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Where the entry stands.
    pub cursor: Cursor,
    /// Whether it stood there before, under the same key; then nothing was appended now.
    pub duplicate: bool,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What was appended.
    pub payload: Bytes,
}

/// Part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Entries, in order.
    pub entries: Vec<Entry>,
    /// Whether there was nothing behind them.
    pub at_head: bool,
}

/// What a [`Tail`] brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Entries, in order.
    pub entries: Vec<Entry>,
    /// Whether there was nothing behind them when they were taken, as far as the backplane knows
    /// without asking again.
    pub at_head: bool,
}

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// So many entries at most.
    pub entries: usize,
    /// So many bytes of payloads at most, one entry always.
    pub bytes: usize,
}

/// A node that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The node's name: 1 to 64 ASCII letters and digits.
    pub node: Arc<str>,
    /// What it says of itself, at most 64 KiB.
    pub payload: Bytes,
}

/// Why a backplane did not do what it was asked for. Drivers' own errors are sources, for logs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackplaneError {
    /// Nobody to talk to, or no answer in time. What was asked may have been done all the same.
    #[error("the backplane is not available")]
    Unavailable {
        /// When another try makes sense.
        retry_after: Duration,
        /// What the driver said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The backplane answers and rejects what it is asked for the moment: its memory or disk is
    /// full, or it stopped accepting writes. Nothing was done. Another try succeeds once an
    /// operator or the backplane itself removes the cause.
    #[error("the backplane accepts nothing now: {reason}")]
    Blocked {
        /// The cause, and what an operator does about it.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// As many calls are under way as may be. Nothing was done.
    #[error("the backplane has too many calls under way")]
    Busy,
    /// As many keys are remembered as may be. Nothing was done.
    #[error(transparent)]
    KeysFull(#[from] KeysFull),
    /// The log is another one than the cursor's.
    #[error("the log is another one now, its epoch {current}")]
    Epoch {
        /// The epoch of the log that is there.
        current: Epoch,
    },
    /// What follows the cursor is partly gone.
    #[error("the log is held only behind {trimmed}")]
    Trimmed {
        /// Everything up to here is gone; reading behind it works.
        trimmed: Position,
    },
    /// Entries that follow the cursor cannot be read, now or later: they are not there as they were
    /// appended, or not there at all.
    #[error("the log cannot be read up to {to}")]
    Damaged {
        /// The last position that cannot be read. Reading behind it works, or fails in turn; it
        /// lies behind the cursor.
        to: Position,
        /// The place and the fault, for the operator.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The cursor is beyond the last entry.
    #[error("the log ends at {head}")]
    Future {
        /// Where the last entry stands.
        head: Position,
    },
    /// More bytes than can be taken. Nothing was done.
    #[error("{size} bytes, more than the {limit} that the backplane takes")]
    TooLarge {
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It refuses what it is asked until an operator changes something: wrong credentials, missing
    /// rights, foreign data under our names. A program that starts may end with this error. While
    /// it runs, the error passes like [`Blocked`](Self::Blocked).
    #[error("the backplane refuses: {reason}")]
    Rejected {
        /// What is wrong, for the operator.
        reason: String,
        /// What the driver said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl BackplaneError {
    /// Nobody to talk to.
    pub fn unavailable(
        retry_after: Duration,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            retry_after,
            source: source.into(),
        }
    }

    /// It is rejected for the moment.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Blocked {
            reason: reason.into(),
            source: None,
        }
    }

    /// Entries up to a position cannot be read.
    pub fn damaged(to: Position, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged {
            to,
            source: source.into(),
        }
    }

    /// It is refused, and will be again.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected {
            reason: reason.into(),
            source: None,
        }
    }
}

/// No answer within this time is none; a tail that says nothing for so long is dead.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a backplane does within a time, or its silence as an error.
pub(crate) async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, BackplaneError>>,
) -> Result<T, BackplaneError> {
    match timeout(time, call).await {
        Ok(result) => result,
        Err(late) => Err(BackplaneError::unavailable(Duration::from_secs(1), late)),
    }
}
