//! The interpretation of the events that a client receives.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use sse_core::backplane::{Cursor, Epoch};
use sse_testkit::{Decoded, Decoder};
use tokio::time::Instant;

use crate::{
    client::state::{ClientState, SharedState},
    observation::{Gap, GapReason, Observation},
};

/// Reads a client's streams, one after the other, and records them.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) known: SharedState,
    decoder: Decoder,
    number: fn(&Decoded) -> Option<u64>,
    /// Epoch of the last id, shared so that the next id needs no copy of its own.
    epoch: Option<Epoch>,
}

/// The news of a response that the client has to act on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Heartbeat interval that the server announced.
    pub(crate) heartbeat: Option<Duration>,
    /// Set if an app event arrived, which resets the count of failures.
    pub(crate) is_of_use: bool,
    /// Set if the server forbade the client to reconnect.
    pub(crate) forbids_reconnect: bool,
}

/// The data of a `connection` event.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HelloData {
    resumed: bool,
    heartbeat_ms: Option<u64>,
}

/// The data of a `system` event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct System {
    event: String,
    data: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    reason: Option<String>,
    dropped: Option<u64>,
    from: Option<String>,
    to: Option<String>,
    reconnect: Option<bool>,
}

impl Listener {
    pub(crate) fn new(
        known: SharedState,
        last_event_id: &str,
        number: fn(&Decoded) -> Option<u64>,
    ) -> Self {
        let mut decoder = Decoder::new();
        // As if an earlier stream had sent the id. No stream can send an id that contains a line
        // end or NUL.
        decoder.feed(format!("id: {last_event_id}\n\n").as_bytes());
        decoder.reconnect();
        Self {
            known,
            decoder,
            number,
            epoch: None,
        }
    }

    /// Returns the value of `Last-Event-ID`; empty if the client has none.
    pub(crate) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns the last delay that the server requested with `retry:`.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.decoder.retry().map(Duration::from_millis)
    }

    /// Prepares for the next stream.
    pub(crate) fn reconnect(&mut self) {
        self.decoder.reconnect();
    }

    /// Reads the next bytes of the stream.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> News {
        let events = self.decoder.feed(bytes);
        let mut news = News::default();
        let known = self.known.clone();
        let mut state = known.lock();
        let now = Instant::now();
        for event in &events {
            self.event(event, now, &mut state, &mut news);
        }
        self.catch_up(now, &mut state);
        news
    }

    fn event(&mut self, event: &Decoded, now: Instant, state: &mut ClientState, news: &mut News) {
        let id = self.id(&event.id);
        let has_moved = event.id != state.status.last_event_id;
        state.status.last_event_id.clone_from(&event.id);
        let observation = match event.event_type.as_str() {
            "connection" => Some(connected(&event.data, id.clone(), news)),
            "heartbeat" => None,
            "system" => {
                system(&event.data, news).unwrap_or_else(|| Some(self.of_an_app(event, id.clone())))
            }
            _ => Some(self.of_an_app(event, id.clone())),
        };
        match &observation {
            Some(Observation::Connected { .. }) => state.status.connects += 1,
            Some(Observation::Gap(_)) => state.status.gaps += 1,
            Some(Observation::Event { .. }) => {
                news.is_of_use = true;
                state.status.events += 1;
            }
            _ => {
                let moved = id.filter(|_| has_moved).map(|id| Observation::Moved { id });
                moved
                    .into_iter()
                    .for_each(|moved| state.journal.push(now, moved));
            }
        }
        observation
            .into_iter()
            .for_each(|observation| state.journal.push(now, observation));
    }

    /// Records an id that moved the last event id without any data.
    fn catch_up(&mut self, now: Instant, state: &mut ClientState) {
        if state.status.last_event_id == self.decoder.last_event_id() {
            return;
        }
        self.decoder
            .last_event_id()
            .clone_into(&mut state.status.last_event_id);
        if let Some(id) = self.id(&state.status.last_event_id) {
            state.journal.push(now, Observation::Moved { id });
        }
    }

    fn of_an_app(&self, event: &Decoded, id: Option<Cursor>) -> Observation {
        Observation::Event {
            number: (self.number)(event),
            id,
        }
    }

    /// Returns the position that an id stands for, if any.
    fn id(&mut self, id: &str) -> Option<Cursor> {
        let (epoch, position) = id.split_once('-')?;
        let position = position.parse().ok()?;
        if self
            .epoch
            .as_ref()
            .is_none_or(|known| known.as_str() != epoch)
        {
            self.epoch = Some(Epoch::new(epoch).ok()?);
        }
        Some(Cursor::new(self.epoch.clone()?, position))
    }
}

fn connected(data: &str, id: Option<Cursor>, news: &mut News) -> Observation {
    let hello: HelloData = read(data);
    news.heartbeat = hello.heartbeat_ms.map(Duration::from_millis);
    Observation::Connected {
        id,
        resumed: hello.resumed,
    }
}

/// Interprets an event of the server itself. The outer `None` means that the event is an app's, the
/// inner one that the event is not recorded.
fn system(data: &str, news: &mut News) -> Option<Option<Observation>> {
    let System { event, data } = read(data);
    let observation = match event.as_str() {
        "gap" => Some(Observation::Gap(gap(&data))),
        "degraded" => Some(Observation::Degraded),
        "restored" => Some(Observation::Restored),
        "shutdown" | "auth_expired" => None,
        "disconnected" => {
            news.forbids_reconnect |= data.reconnect == Some(false);
            None
        }
        _ => return None,
    };
    Some(observation)
}

fn gap(data: &Details) -> Gap {
    let cursor = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    Gap {
        reason: data
            .reason
            .as_deref()
            .map_or(GapReason::Other, GapReason::named),
        dropped: data.dropped,
        from: cursor(&data.from),
        to: cursor(&data.to),
    }
}

/// Deserializes data; data of other servers under the same names reads as empty.
fn read<T: DeserializeOwned + Default>(data: &str) -> T {
    serde_json::from_str(data).unwrap_or_default()
}
