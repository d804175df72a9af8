//! Heartbeats of quiet streams.

use serde_json::json;

use crate::{
    clock::unix_ms,
    event::{Event, event_type::EventType},
};

/// The source of the events that are sent to quiet streams.
///
/// The manager checks its streams at regular ticks, and creates one event per tick, which all quiet
/// streams share. (A tick that takes very long creates another one.) An
/// [`EventStream`](crate::EventStream) creates an event for each of its heartbeats. If
/// [`Heartbeat::beat`] panics in a manager, the manager logs the panic and sends no heartbeat in
/// that tick.
///
/// ```
/// use sse_core::{Event, Manager, dialect::Heartbeat};
///
/// struct Ping;
///
/// impl Heartbeat for Ping {
///     fn beat(&self) -> Event {
///         Event::empty().with_comment("ping")
///     }
/// }
///
/// assert_eq!(Ping.beat().encode(), ": ping\n");
/// let manager = Manager::builder().custom_heartbeat(Ping).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Heartbeat: Send + Sync + 'static {
    /// Creates the event of one tick. The event must have a field or a comment, so that there are
    /// bytes to send.
    fn beat(&self) -> Event;
}

/// A heartbeat of type `heartbeat` with the time. Scripts receive it, so they can distinguish a
/// dead connection from a quiet one.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventHeartbeat;

impl Heartbeat for EventHeartbeat {
    fn beat(&self) -> Event {
        let data = json!({ "timestamp": unix_ms() });
        Event::json(&data)
            .unwrap_or_default()
            .with_event_type(EventType::HEARTBEAT)
    }
}

/// A heartbeat that is a comment line. It keeps proxies and the connection open, and scripts do not
/// receive it.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommentHeartbeat;

impl Heartbeat for CommentHeartbeat {
    fn beat(&self) -> Event {
        Event::empty().with_comment("heartbeat")
    }
}
