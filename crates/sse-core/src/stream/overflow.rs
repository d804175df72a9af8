//! Handling of full queues.

use serde::{Deserialize, Serialize};

/// Policy for a stream whose queue is full.
///
/// No event is dropped silently: the client receives a `gap` system event, and counters record the
/// loss.
///
/// ```
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager, config::Overflow};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let overflow = Overflow::DropOldest;
/// let manager = Manager::builder().queue(2, 1 << 20).overflow(overflow).build()?;
/// let mut session = manager.connect(Handshake::new())?;
/// session.next().await; // `connection`
///
/// for number in 1..=3 {
///     manager.all().publish(Event::text(number.to_string())).await?;
/// }
/// let events = session.next().await.unwrap(); // a `gap`, and the latest two events
/// assert!(events.ends_with(b"data: 2\n\ndata: 3\n\n"));
/// assert_eq!(manager.stats().counters.dropped, 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overflow {
    /// The stream receives the waiting events, a `gap` and `disconnected`, and ends. The client
    /// reconnects.
    #[default]
    Disconnect,
    /// The oldest waiting events are dropped to make room.
    DropOldest,
    /// A waiting event with the same key is dropped to make room, or the oldest event if no event
    /// has the key.
    KeepLatest(CollapseBy),
}

/// Key by which events replace each other.
///
/// ```
/// use futures_util::StreamExt;
/// use sse_core::{Event, Handshake, Manager, config::{CollapseBy, Overflow}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let overflow = Overflow::KeepLatest(CollapseBy::Key);
/// let manager = Manager::builder().queue(2, 1 << 20).overflow(overflow).build()?;
/// let mut session = manager.connect(Handshake::new())?;
/// session.next().await; // `connection`
///
/// for (key, price) in [("gold", "70"), ("silver", "1"), ("gold", "71")] {
///     manager.all().publish(Event::text(price).with_collapse_key(key)).await?;
/// }
/// let events = session.next().await.unwrap(); // a `gap`, and the latest price of each metal
/// assert!(events.ends_with(b"data: 1\n\ndata: 71\n\n"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollapseBy {
    /// Events of the same [`EventType`](crate::EventType) replace each other.
    EventType,
    /// Events with the same [`Event::with_collapse_key`](crate::Event::with_collapse_key) replace
    /// each other; events without a key replace nothing.
    Key,
}
