//! First block of a stream.

use std::time::Duration;

use serde::Serialize;

use crate::{
    event::{Event, event_id::EventId, event_type::EventType},
    id::{client_id::ClientId, names::UserId},
};

/// The content of the first block of a stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hello {
    /// Client id of the stream.
    pub client_id: ClientId,
    /// User of the stream.
    pub user_id: Option<UserId>,
    /// `true` if all events that a returning client missed follow, as far as the server knows yet.
    /// Always `false` without an event log. If `false` and events are missing, a gap reports them.
    pub resumed: bool,
    /// Interval between heartbeats of a quiet stream; `None` without heartbeats.
    pub heartbeat: Option<Duration>,
    /// Time that the client should wait before it reconnects.
    pub retry: Duration,
    /// Position up to which this stream has been served. Set only with an event log.
    pub id: Option<EventId>,
    /// Time at which the stream was accepted, in Unix milliseconds.
    pub timestamp: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    status: &'static str,
    client_id: ClientId,
    user_id: Option<&'a UserId>,
    resumed: bool,
    heartbeat_ms: Option<u128>,
    timestamp: u64,
}

impl Hello {
    /// Returns the event of the plain dialect: `retry`, `id` if set, and a `connection` event, in
    /// one block.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let data = Data {
            status: "connected",
            client_id: self.client_id,
            user_id: self.user_id.as_ref(),
            resumed: self.resumed,
            heartbeat_ms: self.heartbeat.map(|interval| interval.as_millis()),
            timestamp: self.timestamp,
        };
        let event = Event::json(&data)
            .unwrap_or_default()
            .with_event_type(EventType::CONNECTION)
            .with_retry(self.retry);
        match &self.id {
            Some(id) => event.with_id(id.clone()),
            None => event,
        }
    }
}
