//! Observations of a client.

use sse_core::Cursor;

/// One thing that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
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
        /// The last event id at this event, its own or one before it; `None` if it is no position
        /// in a log.
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

impl Observation {
    /// The positions in a note.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Cursor> {
        let ids = match self {
            Self::Connected { id, .. } | Self::Event { id, .. } => [id.as_ref(), None],
            Self::Moved { id } => [Some(id), None],
            Self::Gap(gap) => [gap.from.as_ref(), gap.to.as_ref()],
            _ => [None, None],
        };
        ids.into_iter().flatten()
    }
}

impl GapReason {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// The reason that the server names so.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "overflow" => Self::Overflow,
            "trimmed" => Self::Trimmed,
            "epoch" => Self::Epoch,
            "invalid" => Self::Invalid,
            "future" => Self::Future,
            _ => Self::Other,
        }
    }
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
    /// The server broke the transfer coding.
    Malformed,
    /// The test dropped it.
    Dropped,
}

/// Why a client does not connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The test stopped it.
    Asked,
    /// The server answered with this status, which clients take for good: 204, or one that another
    /// attempt will not change.
    Refused(u16),
    /// The server answered with something that is no event stream.
    NotAStream,
    /// The server told it to stay away: `disconnected` with `reconnect: false`.
    StayAway,
}
