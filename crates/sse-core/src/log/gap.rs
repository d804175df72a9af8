//! Telling a client that something is missing.

use serde_json::json;

use crate::event::{Event, cursor::Cursor, event_id::EventId, system};

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GapReason {
    /// Its queue was full.
    Overflow,
    /// The log does not hold it any more.
    Trimmed,
    /// The log is another one than the client's.
    Epoch,
    /// What the client has for its last event id is none of ours.
    Invalid,
    /// The client's position is behind the end of the log.
    Future,
    /// The log cannot be read there.
    Damaged,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) reason: GapReason,
    /// How many events, where that is known.
    pub(crate) dropped: Option<u32>,
    /// Behind which position.
    pub(crate) from: Option<EventId>,
    /// Up to which one. The client goes on from there.
    pub(crate) to: Option<Cursor>,
}

impl GapReason {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// The words for them, in the order of their numbers.
    pub(crate) const NAMES: [&str; Self::COUNT] = [
        "overflow", "trimmed", "epoch", "invalid", "future", "damaged",
    ];
}

impl Gap {
    pub(crate) fn new(reason: GapReason, from: Option<EventId>, to: Cursor) -> Self {
        Self {
            reason,
            dropped: None,
            from,
            to: Some(to),
        }
    }

    /// Events that a full queue dropped.
    pub(crate) fn overflow(dropped: Option<u32>, to: Option<Cursor>) -> Self {
        Self {
            reason: GapReason::Overflow,
            dropped,
            from: None,
            to,
        }
    }

    /// One gap for two of which the first was not told yet: from where the first began to where the
    /// second ends.
    pub(crate) fn and(self, next: Self) -> Self {
        // That it is another log says more than what was missing in the one before.
        let reason = if next.reason == GapReason::Epoch {
            next.reason
        } else {
            self.reason
        };
        Self {
            reason,
            dropped: None,
            from: self.from,
            to: next.to,
        }
    }

    /// The system event `gap`.
    pub(crate) fn to_event(&self) -> Event {
        let to = self.to.as_ref().map(Cursor::to_id);
        let data = json!({
            "reason": GapReason::NAMES[self.reason as usize],
            "dropped": self.dropped,
            "from": self.from.as_ref().map(EventId::as_str),
            "to": to.as_ref().map(EventId::as_str),
        });
        to.into_iter().fold(system::own("gap", data), Event::id)
    }
}
