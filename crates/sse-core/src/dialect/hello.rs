//! The first block of a stream.

use std::time::Duration;

use serde::Serialize;

use crate::{
    event::{Event, event_id::EventId, event_type::EventType},
    id::{client_id::ClientId, names::UserId},
};

/// What a stream begins with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hello {
    /// The stream's client id.
    pub client_id: ClientId,
    /// Whose stream it is.
    pub user_id: Option<UserId>,
    /// Whether everything that a returning client missed follows, as far as that is known yet;
    /// always false without an event log. Where it is false and something is missing a gap says so.
    pub resumed: bool,
    /// How often a quiet stream gets a heartbeat; `None` without heartbeats.
    pub heartbeat: Option<Duration>,
    /// How long the client should wait before it reconnects.
    pub retry: Duration,
    /// The position up to which this stream has been served; only with an event log.
    pub id: Option<EventId>,
    /// When the stream was accepted, in Unix milliseconds.
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
    /// The plain form: `retry`, `id` where there is one, and a `connection` event, in one block.
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
            .event_type(EventType::CONNECTION)
            .retry(self.retry);
        match &self.id {
            Some(id) => event.id(id.clone()),
            None => event,
        }
    }
}
