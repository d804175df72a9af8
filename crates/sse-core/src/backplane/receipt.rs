//! Outcomes of a publish.

use std::time::Duration;

use thiserror::Error;

use crate::{
    backplane::BackplaneError,
    event::{EventError, event_id::EventId},
    id::validate::FieldError,
    log::{entry_key::IdempotencyKeyError, key_limits::KeysFull},
};

/// The outcome of a successful publish.
///
/// ```
/// use sse_core::{Event, Manager, Retention};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().log(Retention::default()).build()?;
/// let paid = || Event::text("paid").with_idempotency_key("order-7-paid");
///
/// let first = manager.user("42").publish(paid()).await?;
/// let retry = manager.user("42").publish(paid()).await?;
/// assert_eq!((first.duplicate, retry.duplicate), (false, true));
/// assert_eq!(first.id, retry.id);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// Number of streams of this node that were in the target at the event's position in the order,
    /// without the exceptions.
    ///
    /// Streams with a full queue count; ending streams do not.
    ///
    /// Zero does not mean that nobody receives the event. Another node can have streams of the
    /// target, and a returning client receives the event from the log. `Cluster::reach` of
    /// `sse-cluster` counts the streams of all nodes.
    pub matched: usize,
    /// Id of the event. Set only if the event was logged.
    pub id: Option<EventId>,
    /// `true` if the log already held an event with the same [idempotency
    /// key](crate::Event::with_idempotency_key) in the same [scope](crate::access::KeyScope). Then
    /// `id` is the id of the earlier event, and this event was not published, whatever its target
    /// and content. `matched` is zero.
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

/// An error of a publish. The event was not published, unless the variant says otherwise.
///
/// ```
/// use sse_core::{Event, Manager, PublishError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
///
/// let error = manager.topic("").publish(Event::text("hello")).await.unwrap_err();
/// assert!(matches!(error, PublishError::Target { field: "topic", .. }));
///
/// let error = manager.all().publish(Event::empty()).await.unwrap_err();
/// assert!(matches!(error, PublishError::Empty));
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The name of the target is invalid.
    #[error("{field} {source}")]
    Target {
        /// Kind of the name: `user`, `topic` or `client`.
        field: &'static str,
        /// Error of the name.
        source: FieldError,
    },
    /// The event is invalid.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event type exceeds the configured limit.
    #[error("event type {0}")]
    EventType(#[source] FieldError),
    /// The event type or system event is reserved for the manager.
    #[error("{kind} \"{name}\" is reserved")]
    Reserved {
        /// Kind of the name: `event type` or `system event`.
        kind: &'static str,
        /// The reserved name.
        name: String,
    },
    /// The event has its own id, but the event log assigns the ids.
    #[error("event ids are assigned by the event log")]
    Id,
    /// The idempotency key is invalid: its length is not allowed, or the event is not logged.
    #[error("idempotency key {0}")]
    Key(#[source] IdempotencyKeyError),
    /// The caller, all users or all backends have the maximum number of idempotency keys. The event
    /// was not published, and no key was forgotten: retries under a known key are still recognized.
    #[error(transparent)]
    KeysFull(#[from] KeysFull),
    /// The event log is unreachable or rejects events now: the log is full, it stopped accepting
    /// writes, or permissions are missing. The event can have been published all the same; a caller
    /// that retries avoids a duplicate with an [idempotency
    /// key](crate::Event::with_idempotency_key).
    #[error("the event log is unavailable")]
    Unavailable {
        /// Delay after which a retry makes sense.
        retry_after: Duration,
        /// Error of the backplane.
        #[source]
        source: BackplaneError,
    },
    /// The event log acknowledged the event, but this node did not receive the entry within 10 s:
    /// the node lost the log or lags, or the entry is unreadable. Once the node follows the log
    /// again, clients receive the event, or a gap in its place. A retry publishes the event twice,
    /// unless the event has an [idempotency key](crate::Event::with_idempotency_key): then the
    /// receipt has `duplicate` set and the same id.
    #[error("the event was logged as {id} but was not delivered in time")]
    Unconfirmed {
        /// Id of the event.
        id: EventId,
        /// Delay after which a retry makes sense.
        retry_after: Duration,
    },
    /// The event log rejects this event permanently: the event is too large.
    #[error("the event log rejected the event")]
    Backplane(#[source] BackplaneError),
    /// The event has neither data nor a field, so its encoding is empty.
    #[error("the event is empty")]
    Empty,
    /// The event alone is larger than a stream's queue.
    #[error("the event has {size} bytes, more than the {limit} that a stream can queue")]
    TooLarge {
        /// Encoded size in bytes.
        size: usize,
        /// Value of `queue_bytes`, in bytes.
        limit: usize,
    },
}
