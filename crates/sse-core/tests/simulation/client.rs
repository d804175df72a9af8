//! A client that connects and disconnects.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::Stream;
use serde_json::Value;
use sse_core::{
    Handshake, Manager, Session, Target, Topic, UserId, backplane::Cursor, config::Overflow,
};
use sse_testkit::{Decoded, Decoder};

/// A client with a permanent identity and temporary connections.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user: UserId,
    pub(crate) topics: Vec<Topic>,
    overflow: Overflow,
    live: Option<(usize, Session, Decoder)>,
    /// Last event id of the client.
    pub(crate) last_id: String,
    /// Everything that the client received, in order.
    pub(crate) received: Vec<Received>,
}

/// An item that a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    /// A stream began; `resumed` if it was complete, `at` its position.
    Connected { resumed: bool, at: String },
    /// An event, by its number; with an id if it was logged.
    Event { number: u64, id: Option<String> },
    /// A gap.
    Gap {
        reason: String,
        from: Option<String>,
        to: Option<String>,
    },
    /// Anything else.
    Other(String),
}

impl Client {
    pub(crate) fn new(user: UserId, topics: Vec<Topic>, overflow: Overflow) -> Self {
        Self {
            user,
            topics,
            overflow,
            live: None,
            last_id: String::new(),
            received: Vec::new(),
        }
    }

    pub(crate) fn node(&self) -> Option<usize> {
        self.live.as_ref().map(|(node, ..)| *node)
    }

    pub(crate) fn is_meant_by(&self, target: &Target) -> bool {
        match target {
            Target::All => true,
            Target::User(user) => *user == self.user,
            Target::Topic(topic) => self.topics.contains(topic),
            Target::Client(_) => false,
        }
    }

    /// Returns the client's first position in the log.
    pub(crate) fn began(&self) -> Option<Cursor> {
        self.received.iter().find_map(|received| match received {
            Received::Connected { at, .. } => at.parse().ok(),
            _ => None,
        })
    }

    /// Connects again; returns `false` if the stream is rejected.
    pub(crate) fn connect(&mut self, node: usize, manager: &Manager) -> bool {
        self.cut();
        let id = Some(self.last_id.as_bytes()).filter(|id| !id.is_empty());
        let mut shake = Handshake::from_request("GET", None, id)
            .user(self.user.clone())
            .overflow(self.overflow);
        for topic in &self.topics {
            shake = shake.topic(topic.clone());
        }
        let Ok(session) = manager.connect(shake) else {
            return false;
        };
        self.live = Some((node, session, Decoder::new()));
        true
    }

    /// Loses the connection, with all events that the client has not taken.
    pub(crate) fn cut(&mut self) {
        self.live = None;
    }

    /// Takes at most `buffers` buffers.
    pub(crate) fn take(&mut self, buffers: usize) {
        for _ in 0..buffers {
            let Some((_, session, decoder)) = &mut self.live else {
                return;
            };
            match Pin::new(session).poll_next(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => return,
                Poll::Ready(None) => return self.cut(),
                Poll::Ready(Some(buffer)) => {
                    let events = decoder.feed(&buffer);
                    events.into_iter().for_each(|event| self.note(&event));
                }
            }
        }
    }

    fn note(&mut self, event: &Decoded) {
        let id = Some(event.id.clone()).filter(|id| *id != self.last_id && !id.is_empty());
        let received = match event.event_type.as_str() {
            "message" => Received::Event {
                number: event.data.parse().expect("events are numbered"),
                id,
            },
            "heartbeat" => Received::Other("heartbeat".to_owned()),
            name => received(
                name,
                &serde_json::from_str(&event.data).expect("the data is JSON"),
                &event.id,
            ),
        };
        if !event.id.is_empty() {
            self.last_id.clone_from(&event.id);
        }
        self.received.push(received);
    }
}

fn received(name: &str, data: &Value, id: &str) -> Received {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if name == "connection" {
        return Received::Connected {
            resumed: data["resumed"] == true,
            at: id.to_owned(),
        };
    }
    match text(&data["event"])
        .expect("system events are named")
        .as_str()
    {
        "gap" => Received::Gap {
            reason: text(&data["data"]["reason"]).expect("a gap has a reason"),
            from: text(&data["data"]["from"]),
            to: text(&data["data"]["to"]),
        },
        other => Received::Other(other.to_owned()),
    }
}
