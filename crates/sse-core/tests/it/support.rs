//! Helpers that several tests need.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;
use sse_core::{
    ClientId, DisconnectReason, Event, EventType, Handshake, Manager, Session,
    dialect::{Dialect, Farewell, FrameWriter, Hello},
    event::EventId,
    hooks::{Disconnection, Hooks, StreamInfo},
};
use sse_testkit::{Decoded, Decoder};

/// The parts of an event.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) data: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u32>,
    pub(crate) comment: Option<String>,
}

impl Parts {
    pub(crate) fn event(&self) -> Event {
        let mut event = self.data.as_ref().map_or_else(Event::empty, Event::text);
        if let Some(name) = &self.event_type {
            event = event.with_event_type(EventType::new(name.as_str()).unwrap());
        }
        if let Some(id) = &self.id {
            event = event.with_id(EventId::new(id.as_str()).unwrap());
        }
        if let Some(retry) = self.retry {
            event = event.with_retry(Duration::from_millis(retry.into()));
        }
        match &self.comment {
            Some(comment) => event.with_comment(comment),
            None => event,
        }
    }

    /// Returns the text that the standard requires, written in the plainest way.
    pub(crate) fn wire(&self) -> String {
        let comment = self
            .comment_lines()
            .into_iter()
            .map(|line| format!(": {line}\n"));
        let id = self.id.iter().map(|id| format!("id: {id}\n"));
        let name = self
            .event_type
            .iter()
            .map(|name| format!("event: {name}\n"));
        let retry = self.retry.iter().map(|retry| format!("retry: {retry}\n"));
        let data = self.normalized_data();
        let data = data
            .iter()
            .flat_map(|data| data.split('\n'))
            .map(|line| format!("data: {line}\n"));
        let fields: Vec<_> = retry.chain(id).chain(name).chain(data).collect();
        let blank = if fields.is_empty() { "" } else { "\n" };
        comment
            .chain(fields.iter().cloned())
            .chain([blank.to_owned()])
            .collect()
    }

    pub(crate) fn comment_lines(&self) -> Vec<String> {
        let lines = |text: &String| normalized(text).split('\n').map(str::to_owned).collect();
        self.comment.as_ref().map_or_else(Vec::new, lines)
    }

    pub(crate) fn normalized_data(&self) -> Option<String> {
        self.data.as_deref().map(normalized)
    }
}

fn normalized(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A strategy for texts that are difficult to encode.
pub(crate) fn text() -> impl Strategy<Value = String> + Clone {
    let piece = prop_oneof![
        4 => prop::sample::select(&[
            "\r", "\n", "\r\n", "\0", "\u{feff}", " ", "  ", ":", "data: ", "data", "id: 1\n", "event: forged",
            "\nretry: 1\n", "\n\n", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "é", "𝄞", "{}",
        ][..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

pub(crate) fn type_text() -> impl Strategy<Value = String> + Clone {
    let one_line = text().prop_map(|text| text.replace(['\r', '\n'], "_"));
    one_line.prop_filter("not empty", |text| !text.is_empty())
}

pub(crate) fn id_text() -> impl Strategy<Value = String> + Clone {
    text().prop_map(|text| text.replace(['\r', '\n', '\0'], "_"))
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> + Clone {
    let data = option::weighted(0.8, text());
    (
        data,
        option::of(type_text()),
        option::of(id_text()),
        option::of(any::<u32>()),
        option::of(text()),
    )
        .prop_map(|(data, event_type, id, retry, comment)| Parts {
            data,
            event_type,
            id,
            retry,
            comment,
        })
}

/// A stream, and the client at its other end.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) decoder: Decoder,
    /// `true` once the stream has ended.
    pub(crate) over: bool,
}

/// A waker that records a wake-up.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    pub(crate) fn connect(manager: &Manager, handshake: Handshake) -> Self {
        let session = manager.connect(handshake).expect("the stream is accepted");
        Self {
            session,
            decoder: Decoder::new(),
            over: false,
        }
    }

    /// Connects, and takes the first block.
    pub(crate) fn greeted(manager: &Manager, handshake: Handshake) -> Self {
        let mut client = Self::connect(manager, handshake);
        let first = client.take();
        assert_eq!(first[0].event_type, "connection");
        assert_eq!(first.len(), 1);
        client
    }

    pub(crate) fn id(&self) -> ClientId {
        self.session.client_id()
    }

    /// Returns the next buffer, if one is available. A stream that only yields to other tasks is
    /// polled again at once.
    pub(crate) fn buffer(&mut self) -> Poll<Option<Bytes>> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            let polled = Pin::new(&mut self.session).poll_next(&mut Context::from_waker(&waker));
            if polled.is_ready() || !woken.0.swap(false, Ordering::Relaxed) {
                return polled;
            }
        }
    }

    /// Returns all waiting events, with a waker that is called once more events wait.
    pub(crate) fn take_by(&mut self, waker: &Waker) -> Vec<Decoded> {
        let mut events = Vec::new();
        while let Poll::Ready(Some(buffer)) =
            Pin::new(&mut self.session).poll_next(&mut Context::from_waker(waker))
        {
            events.extend(self.decoder.feed(&buffer));
        }
        events
    }

    /// Returns all waiting events.
    pub(crate) fn take(&mut self) -> Vec<Decoded> {
        let mut events = Vec::new();
        while let Poll::Ready(buffer) = self.buffer() {
            let Some(buffer) = buffer else {
                self.over = true;
                break;
            };
            assert!(
                !buffer.is_empty(),
                "an empty buffer would end a chunked body"
            );
            events.extend(self.decoder.feed(&buffer));
        }
        events
    }

    /// Returns the data of all waiting events.
    pub(crate) fn data(&mut self) -> Vec<String> {
        self.take().into_iter().map(|event| event.data).collect()
    }

    /// Returns the names of all waiting events, including the names of system events.
    pub(crate) fn names(&mut self) -> Vec<String> {
        self.take().iter().map(name).collect()
    }
}

/// Returns the type of an event, or the name of a `system` event.
pub(crate) fn name(event: &Decoded) -> String {
    match event.event_type.as_str() {
        "system" => json(event)["event"]
            .as_str()
            .expect("system events are named")
            .to_owned(),
        name => name.to_owned(),
    }
}

/// Returns the data of an event as JSON.
pub(crate) fn json(event: &Decoded) -> Value {
    serde_json::from_str(&event.data).expect("the data is JSON")
}

/// A dialect that writes only published events, and only their data.
#[derive(Debug)]
pub(crate) struct Laconic;

impl Dialect for Laconic {
    fn name(&self) -> &'static str {
        "laconic"
    }

    fn hello(&self, _: &Hello, _: &mut FrameWriter) {}

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        if let Some(data) = event.data().filter(|_| event.event_type().is_none()) {
            out.event(&Event::text(data));
        }
    }

    fn heartbeat(&self, _: &Event, _: &mut FrameWriter) {}

    fn end(&self, _: &Farewell, _: &mut FrameWriter) {}
}

/// Hooks that record every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Reported>>>);

/// A call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reported {
    Connected(StreamInfo),
    Disconnected(StreamInfo, Disconnection),
    Dropped(StreamInfo, u32),
}

impl Heard {
    pub(crate) fn all(&self) -> Vec<Reported> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn connected(&self) -> Vec<ClientId> {
        let reported = self.all().into_iter();
        reported
            .filter_map(|reported| {
                if let Reported::Connected(stream) = reported {
                    Some(stream.client_id)
                } else {
                    None
                }
            })
            .collect()
    }

    /// Returns the streams that ended, with the reasons, in order.
    pub(crate) fn departed(&self) -> Vec<(ClientId, Disconnection)> {
        let departed = |reported| match reported {
            Reported::Disconnected(stream, departure) => Some((stream.client_id, departure)),
            _ => None,
        };
        self.all().into_iter().filter_map(departed).collect()
    }

    pub(crate) fn reasons(&self) -> Vec<DisconnectReason> {
        self.departed()
            .into_iter()
            .map(|(_, departure)| departure.reason)
            .collect()
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.all()
            .into_iter()
            .map(|reported| {
                if let Reported::Dropped(_, events) = reported {
                    events
                } else {
                    0
                }
            })
            .sum()
    }
}

impl Hooks for Heard {
    fn connected(&self, stream: &StreamInfo) {
        self.0
            .lock()
            .unwrap()
            .push(Reported::Connected(stream.clone()));
    }

    fn disconnected(&self, stream: &StreamInfo, departure: &Disconnection) {
        self.0
            .lock()
            .unwrap()
            .push(Reported::Disconnected(stream.clone(), departure.clone()));
    }

    fn dropped(&self, stream: &StreamInfo, events: u32) {
        self.0
            .lock()
            .unwrap()
            .push(Reported::Dropped(stream.clone(), events));
    }
}

/// Publishes texts to every stream, one after the other.
pub(crate) async fn publish_all<T: AsRef<str>>(
    manager: &Manager,
    texts: impl IntoIterator<Item = T>,
) {
    for text in texts {
        manager.all().publish(Event::text(text)).await.unwrap();
    }
}

/// Creates the handshake of a client that returns with an id.
pub(crate) fn from(id: &str) -> Handshake {
    Handshake::from_request("GET", None, Some(id.as_bytes()))
}

/// Returns the data of the published events among some events.
pub(crate) fn data(events: &[Decoded]) -> Vec<&str> {
    let published = events.iter().filter(|event| event.event_type == "message");
    published.map(|event| event.data.as_str()).collect()
}

/// Returns `resumed` of the first of some events.
pub(crate) fn resumed(events: &[Decoded]) -> bool {
    assert_eq!(events[0].event_type, "connection");
    json(&events[0])["resumed"].as_bool().unwrap()
}
