//! The dialect of tRPC's `httpSubscriptionLink`.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sse_core::{
    Event, EventType,
    dialect::{Dialect, Farewell, FrameWriter, Hello},
    event::EventId,
};

use crate::{
    error::Error,
    error_code::Code,
    wire::{envelope, transformer::Transformer},
};

const CONNECTED: EventType = EventType::from_static("connected");
const PING: EventType = EventType::from_static("ping");
const RETURN: EventType = EventType::from_static("return");
const RESTORE_ID: EventType = EventType::from_static("restore-id");
const SERIALIZED_ERROR: EventType = EventType::from_static("serialized-error");

/// The form of a stream for tRPC's `httpSubscriptionLink` (tRPC 11, `stream/sse.ts`).
///
/// An event arrives as `{"type":…,"data":…}`. `type` is the event's type, or `message` if the event
/// has none. `data` is its JSON, or its text as a string. An event with an id is *tracked*. The
/// hello is a `connected`, followed by the `connection` event with the client id. Heartbeats are
/// `ping`s. A stream whose client must not reconnect ends with `return`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trpc(Transformer);

impl Trpc {
    pub(crate) fn of(transformer: Transformer) -> Arc<dyn Dialect> {
        Arc::new(Self(transformer))
    }

    /// Wraps an event in a `message`; an empty id shows that the event is not tracked.
    fn message(self, event: &Event, id: Option<&EventId>) -> Event {
        let name = event.event_type().map_or("message", EventType::as_str);
        let Some(data) = event.data() else {
            // The client would dispatch nothing.
            return id.map_or_else(Event::empty, |id| Event::empty().with_id(id.clone()));
        };
        let data = if event.is_json() {
            data.into_owned()
        } else {
            Value::from(data).to_string()
        };
        let json = format!(r#"{{"type":{},"data":{data}}}"#, Value::from(name));
        Event::text(self.0.wrap(&json)).with_id(id.cloned().unwrap_or_else(EventId::reset))
    }
}

impl Dialect for Trpc {
    fn name(&self) -> &'static str {
        match self.0 {
            Transformer::Json => "trpc",
            Transformer::SuperJson => "trpc-superjson",
        }
    }

    fn hello(&self, hello: &Hello, out: &mut FrameWriter) {
        out.event(&connected(hello.heartbeat).with_retry(hello.retry));
        out.event(&self.message(&hello.to_event(), hello.id.as_ref()));
    }

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        let message = self.message(event, event.id());
        match event.retry() {
            Some(delay) => out.event(&message.with_retry(delay)),
            None => out.event(&message),
        }
    }

    /// With a log, the id of a heartbeat is the position. An `EventSource` takes the id of any
    /// event, and sends the id when it reconnects automatically; tRPC's client reads the ids of
    /// messages only.
    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
        let ping = Event::text("").with_event_type(PING);
        out.event(
            &beat
                .id()
                .into_iter()
                .fold(ping, |ping, id| ping.with_id(id.clone())),
        );
    }

    fn end(&self, farewell: &Farewell, out: &mut FrameWriter) {
        self.event(&farewell.to_event(), out);
        if !farewell.reconnect {
            out.event(&Event::text("").with_event_type(RETURN));
        }
    }

    fn restores_ids(&self) -> bool {
        true
    }

    fn restore(&self, id: &EventId, out: &mut FrameWriter) {
        out.event(
            &Event::text("")
                .with_event_type(RESTORE_ID)
                .with_id(id.clone()),
        );
    }
}

/// Returns the first event of a subscription. After two and a half heartbeat intervals without an
/// event, the client reconnects.
fn connected(heartbeat: Option<Duration>) -> Event {
    let data = match heartbeat {
        Some(interval) => json!({ "reconnectAfterInactivityMs": (interval * 5 / 2).as_millis() }),
        None => json!({}),
    };
    Event::text(data.to_string()).with_event_type(CONNECTED)
}

/// Writes a stream that reports an error.
///
/// tRPC's client reconnects only after errors with the number of an internal error. So a temporary
/// error has that number here, instead of its own; its name and status are unchanged.
pub(crate) fn failure(
    error: &Error,
    path: &str,
    retry_after: Option<Duration>,
    transformer: Transformer,
) -> FrameWriter {
    let mut out = FrameWriter::new();
    let connected = connected(None);
    out.event(&match retry_after {
        Some(delay) => connected.with_retry(delay),
        None => connected,
    });
    let number = if error.is_temporary() {
        Code::InternalServerError
    } else {
        error.code()
    };
    let shape = transformer.wrap(&envelope::shape(error, number.json_rpc(), Some(path)));
    out.event(&Event::text(shape).with_event_type(SERIALIZED_ERROR));
    out
}
