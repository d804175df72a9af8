//! What a quiet stream gets.

use serde_json::json;

use crate::{
    clock::unix_ms,
    event::{Event, event_type::EventType},
};

/// What is sent when a stream is quiet.
///
/// Called once a tick, whatever the number of streams, so every stream of a tick shares the event.
pub trait Heartbeat: Send + Sync + 'static {
    /// The event of one tick. It must have something to send: a field or a comment.
    fn beat(&self) -> Event;
}

/// `event: heartbeat` with the time: scripts see it, so they can tell a dead connection from a
/// quiet one.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventHeartbeat;

impl Heartbeat for EventHeartbeat {
    fn beat(&self) -> Event {
        let data = json!({ "timestamp": unix_ms() });
        Event::json(&data)
            .unwrap_or_default()
            .event_type(EventType::HEARTBEAT)
    }
}

/// A comment line: keeps proxies and the connection awake, invisible to scripts.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommentHeartbeat;

impl Heartbeat for CommentHeartbeat {
    fn beat(&self) -> Event {
        Event::empty().comment("heartbeat")
    }
}
