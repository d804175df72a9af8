//! What a client was told, in a few bytes an event.

use std::time::Duration;

use sse_core::Cursor;
use tokio::time::Instant;

/// All that one client was told and what happened to it, in order.
///
/// An event takes about ten bytes, so three thousand clients may get twenty thousand each.
#[derive(Debug, Clone)]
pub struct Journal {
    origin: Instant,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, since the journal's [origin](Journal::origin); to the microsecond.
    pub at: Duration,
    /// What.
    pub told: Told,
}

/// What happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A stream began: its `connection` event.
    Connected {
        /// The position up to which it has been served; `None` without a log.
        id: Option<Cursor>,
        /// Whether the server says that everything that was missed follows.
        resumed: bool,
    },
    /// An app's event.
    Event {
        /// The number in its data, if there is one.
        number: Option<u64>,
        /// The last event id at this event, its own or one before it; `None` if it is no position in a log.
        id: Option<Cursor>,
    },
    /// The last event id changed by something else: a heartbeat, or an event of the server's own.
    Moved {
        /// What it is now.
        id: Cursor,
    },
    /// The server told of a gap.
    Gap(Gap),
    /// The server told that the log is away.
    Degraded,
    /// The server told that the log is back.
    Restored,
    /// The connection is over, or did not come about.
    Lost(Loss),
    /// The test paused the client.
    Paused,
    /// The test ended the pause.
    Unpaused,
    /// The client will not connect again.
    Stopped(Stop),
}

/// What the server says is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// How many events, where the server knows.
    pub dropped: Option<u64>,
    /// Behind which position; `None` if the server did not say, or said what is no position.
    pub from: Option<Cursor>,
    /// Up to which one.
    pub to: Option<Cursor>,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The stream's queue was full.
    Overflow,
    /// The log does not hold it any more.
    Trimmed,
    /// The log is another one.
    Epoch,
    /// The client's id is none.
    Invalid,
    /// The client's id is beyond the end of the log.
    Future,
    /// A reason that this crate does not know.
    Other,
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The server ended the stream, cleanly.
    Ended,
    /// The stream broke off: closed in its middle, or reset.
    Broken,
    /// Nothing came for too long.
    Stale,
    /// No connection could be made, or no head came in time.
    Unreachable,
    /// The server answered with this status.
    Refused(u16),
    /// The test dropped it.
    Dropped,
}

/// Why a client does not connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The test stopped it.
    Asked,
    /// The server answered with this status, which clients take for good: 204, or one that another attempt will not change.
    Refused(u16),
    /// The server answered with something that is no event stream.
    NotAStream,
    /// The server told it to stay away: `disconnected` with `reconnect: false`.
    StayAway,
    /// The server broke HTTP/1.
    Protocol,
}

impl Journal {
    /// An empty journal whose times count from `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin }
    }

    /// Notes what happened at `at`, which must not be before what was noted last; an earlier time counts as that one.
    ///
    /// For journals of other clients, and made ones: a [`Client`](super::Client) keeps its own.
    pub fn push(&mut self, at: Instant, told: Told) {
        let _ = (at, told);
        todo!()
    }

    /// When its times begin.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Everything, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        std::iter::empty()
    }

    /// How many events of apps there are in it.
    #[must_use]
    pub fn events(&self) -> u64 {
        todo!()
    }
}
