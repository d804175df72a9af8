//! What a publish tells its caller.

use std::time::Duration;

use thiserror::Error;

use crate::{
    backplane::BackplaneError,
    event::{EventError, event_id::EventId},
    id::validate::FieldError,
    log::{entry_key::IdempotencyKeyError, key_limits::KeysFull},
};

/// What a publish tells its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// Streams of this node that were in the target at the event's place in the order, without the
    /// exceptions.
    ///
    /// Streams with a full queue count, streams that are ending do not.
    pub matched: usize,
    /// The id that the event got; only when it was logged.
    pub id: Option<EventId>,
    /// Whether an event with the same [idempotency key](crate::Event::idempotency_key) in the same
    /// [scope](crate::KeyScope) was there before: that one has the id, and this one was not
    /// published, whatever its target and content. `matched` is zero then.
    pub duplicate: bool,
}

impl Receipt {
    pub(crate) fn matched(matched: usize) -> Self {
        Self {
            matched,
            ..Self::default()
        }
    }
}

/// Why a publish has no receipt. Nothing was published, where a variant does not say otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The target's name is not allowed.
    #[error("{field} {source}")]
    Target {
        /// `user`, `topic` or `client`.
        field: &'static str,
        /// What is wrong with it.
        source: FieldError,
    },
    /// The event could not be made.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event type is longer than the limit in force.
    #[error("event type {0}")]
    EventType(#[source] FieldError),
    /// The event type or system event is the manager's own.
    #[error("{kind} \"{name}\" is reserved")]
    Reserved {
        /// `event type` or `system event`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The event has an id of its own, where ids are the event log's.
    #[error("ids are given by the event log")]
    Id,
    /// The idempotency key is not allowed: its length, or the event is not logged.
    #[error("key {0}")]
    Key(#[source] IdempotencyKeyError),
    /// The caller, all users or all backends have as many idempotency keys as they may have.
    /// Nothing was published, and nothing was forgotten: publishes that are tried again under a
    /// known key are still recognised.
    #[error(transparent)]
    KeysFull(#[from] KeysFull),
    /// The event log cannot be reached, or accepts nothing now: it is full, it stopped accepting
    /// writes, or rights are missing. The event may have been published all the same, which a
    /// caller who tries again avoids by an [idempotency key](crate::Event::idempotency_key).
    #[error("the event log is not available")]
    Unavailable {
        /// When another try makes sense.
        retry_after: Duration,
        /// What the backplane said.
        #[source]
        source: BackplaneError,
    },
    /// The event log has acknowledged the event, and this node has not received it from there in
    /// time: it has lost the log, has fallen behind, or the entry cannot be read. Clients receive
    /// the event, or a gap over its place, once the node follows the log again. A caller who tries
    /// again publishes twice, unless the event has an [idempotency
    /// key](crate::Event::idempotency_key): then the receipt says `duplicate`, with the same id.
    #[error("the event log has the event as {id}, and it was not delivered in time")]
    Unconfirmed {
        /// The id of the event.
        id: EventId,
        /// When another try makes sense.
        retry_after: Duration,
    },
    /// The event log does not take this event, whatever becomes of the log: the event is too large.
    #[error("the event log refuses the event")]
    Backplane(#[source] BackplaneError),
    /// The event has neither data nor a field, so there is nothing to send.
    #[error("the event is empty")]
    Empty,
    /// The event alone is larger than a stream's queue.
    #[error("the event has {size} bytes, more than the {limit} that may wait for a stream")]
    TooLarge {
        /// Its encoded size in bytes.
        size: usize,
        /// `queue_bytes` in bytes.
        limit: usize,
    },
}
