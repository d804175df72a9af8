//! Gap events, which report missing events to a client.

use serde_json::json;

use crate::event::{Event, cursor::Cursor, event_id::EventId, system};

/// The reason why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GapReason {
    /// The queue of the stream was full.
    Overflow,
    /// The log no longer holds the events.
    Trimmed,
    /// The log has another epoch than the client's cursor.
    Epoch,
    /// The client's last event id is foreign.
    Invalid,
    /// The client's position is after the end of the log.
    Future,
    /// The log cannot be read at the client's position.
    Damaged,
}

/// A gap in the events that a stream delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) reason: GapReason,
    /// Number of missing events, if known.
    pub(crate) dropped: Option<u32>,
    /// Id after which events are missing.
    pub(crate) from: Option<EventId>,
    /// Position up to which events are missing. The client continues from there.
    pub(crate) to: Option<Cursor>,
}

impl GapReason {
    /// Number of reasons.
    pub(crate) const COUNT: usize = 6;

    /// Names of the reasons, in the order of their discriminants.
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

    /// Creates a gap for events that a full queue dropped.
    pub(crate) fn overflow(dropped: Option<u32>, to: Option<Cursor>) -> Self {
        Self {
            reason: GapReason::Overflow,
            dropped,
            from: None,
            to,
        }
    }

    /// Merges this gap, which was not reported yet, with the next one. The result extends from the
    /// start of this gap to the end of the next.
    pub(crate) fn and(self, next: Self) -> Self {
        // A new epoch matters more than the events that were missing in the log before.
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

    /// Returns the system event `gap`.
    pub(crate) fn to_event(&self) -> Event {
        let to = self.to.as_ref().map(Cursor::to_id);
        let data = json!({
            "reason": GapReason::NAMES[self.reason as usize],
            "dropped": self.dropped,
            "from": self.from.as_ref().map(EventId::as_str),
            "to": to.as_ref().map(EventId::as_str),
        });
        to.into_iter()
            .fold(system::own("gap", &data), Event::with_id)
    }
}
