//! What a publish tells its caller.

use thiserror::Error;

use crate::{event::EventError, event_id::EventId, field::FieldError};

/// What a publish tells its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// Streams of this node that were in the target at the event's place in the order, without the exceptions.
    ///
    /// Streams with a full queue count, streams that are ending do not.
    pub matched: usize,
    /// The id that the event got; only with an event log.
    pub id: Option<EventId>,
}

/// Why nothing was published.
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
