//! Observations of a client.

use sse_core::backplane::Cursor;

/// One observation of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A stream began: its `connection` event.
    Connected {
        /// The position up to which the stream has been served; `None` without a log.
        id: Option<Cursor>,
        /// `true` if the server says that every missed event follows.
        resumed: bool,
    },
    /// An app's event.
    Event {
        /// The number in its data, if there is one.
        number: Option<u64>,
        /// The last event id at this event, its own or an earlier one; `None` if the id is not a
        /// position in a log.
        id: Option<Cursor>,
    },
    /// The last event id was changed by something else: a heartbeat, or an event of the server
    /// itself.
    Moved {
        /// The new last event id.
        id: Cursor,
    },
    /// The server reported a gap.
    Gap(Gap),
    /// The server reported that the log is unavailable.
    Degraded,
    /// The server reported that the log has recovered.
    Restored,
    /// The connection ended, or could not be made.
    Lost(Loss),
    /// The test paused the client.
    Paused,
    /// The test ended the pause.
    Unpaused,
    /// The client will not connect again.
    Stopped(StopReason),
}

/// A gap, as the server reports it: the part of the log in which events can be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The reason for the gap.
    pub reason: GapReason,
    /// Number of missing events, if the server knows it.
    pub dropped: Option<u64>,
    /// Position after which events are missing; `None` if the server did not report a valid
    /// position.
    pub from: Option<Cursor>,
    /// Position up to which events are missing.
    pub to: Option<Cursor>,
}

/// The reason why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The stream's queue was full.
    Overflow,
    /// The log does not hold the events any more.
    Trimmed,
    /// The client's position is in another log.
    Epoch,
    /// The client's id is not a position.
    Invalid,
    /// The client's id is beyond the end of the log.
    Future,
    /// A reason that this crate does not know.
    Other,
}

impl Observation {
    /// Returns the positions in an observation.
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
    /// Number of reasons.
    pub(crate) const COUNT: usize = 6;

    /// Returns the reason with this name on the wire.
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

/// The way in which a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The server ended the stream, cleanly.
    Ended,
    /// The stream broke off: it was closed in its middle, or reset.
    Broken,
    /// The client received nothing for too long.
    Stale,
    /// The connection failed, or the head did not arrive in time.
    Unreachable,
    /// The server answered with this status.
    Refused(u16),
    /// The server violated the transfer coding.
    Malformed,
    /// The test dropped the connection.
    Dropped,
}

/// The reason why a client does not reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The test stopped the client.
    Asked,
    /// The server answered with a status that clients take for final: 204, or a status that another
    /// attempt will not change.
    Refused(u16),
    /// The server answered with something other than an event stream.
    NotAStream,
    /// The server forbade the client to reconnect: `disconnected` with `reconnect: false`.
    Banned,
}
