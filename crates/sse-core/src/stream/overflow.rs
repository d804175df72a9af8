//! What happens when a stream's queue is full.

use serde::{Deserialize, Serialize};

/// What happens when a stream's queue is full.
///
/// Nothing is dropped silently: the client gets a `gap` system event, and the counters count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overflow {
    /// The stream gets what waits, a `gap`, `disconnected`, and ends; the client reconnects.
    #[default]
    Disconnect,
    /// The oldest waiting events make room.
    DropOldest,
    /// A waiting event of the same key makes room; when there is none, the oldest does.
    KeepLatest(CollapseBy),
}

/// Which events replace each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollapseBy {
    /// Those of the same [`EventType`](crate::EventType).
    EventType,
    /// Those with the same [`Event::collapse_key`](crate::Event::collapse_key); events without one
    /// replace nothing.
    Key,
}
