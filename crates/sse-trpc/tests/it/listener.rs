//! A stream, and the events that it received.

use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use sse_core::{Handshake, Manager, Session};
use sse_testkit::{Decoded, Decoder};

pub(crate) struct Listener {
    session: Session,
    decoder: Decoder,
}

impl Listener {
    pub(crate) fn connect(manager: &Manager, user: &str, topics: &[&str]) -> Self {
        let handshake = topics
            .iter()
            .fold(Handshake::new().user(user), |handshake, topic| {
                handshake.topic(*topic)
            });
        let mut listener = Self {
            session: manager.connect(handshake).unwrap(),
            decoder: Decoder::new(),
        };
        assert_eq!(listener.events().len(), 1);
        listener
    }

    pub(crate) fn id(&self) -> String {
        self.session.client_id().to_string()
    }

    /// Returns all events that have arrived since the last call.
    pub(crate) fn events(&mut self) -> Vec<Decoded> {
        let mut events = Vec::new();
        while let Some(Some(bytes)) = self.session.next().now_or_never() {
            events.extend(self.decoder.feed(&bytes));
        }
        events
    }

    /// Returns the type and the data of the one event that has arrived.
    #[track_caller]
    pub(crate) fn event(&mut self) -> (String, Value) {
        let events = self.events();
        let [event] = events.as_slice() else {
            panic!("not one event: {events:?}")
        };
        (
            event.event_type.clone(),
            serde_json::from_str(&event.data).unwrap(),
        )
    }

    /// Returns `true` if the stream has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.session.next().now_or_never(), Some(None))
    }
}
