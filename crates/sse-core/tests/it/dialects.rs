//! Dialects: each event in every dialect, and no bytes if a dialect has no form for it.

use std::{sync::Arc, task::Poll, time::Duration};

use sse_core::{
    ConnectErrorKind, DisconnectOptions, Event, EventType, Handshake, Manager, Target,
    dialect::{Dialect, Farewell, FrameWriter, Hello, MAX_DIALECTS},
    event::EventId,
};
use tokio::time::advance;

use crate::support::{Client, Laconic};

fn laconic() -> Handshake {
    Handshake::new().dialect(Arc::new(Laconic))
}

#[tokio::test(start_paused = true)]
async fn silent_dialect_sends_no_empty_buffer() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::connect(&manager, laconic());
    assert_eq!(client.buffer(), Poll::Pending, "no hello");
    manager
        .all()
        .publish(Event::text("x").with_event_type(EventType::from_static("silent")))
        .await
        .unwrap();
    assert_eq!(client.buffer(), Poll::Pending);
    manager.all().publish(Event::text("y")).await.unwrap();
    assert_eq!(client.buffer(), Poll::Ready(Some("data: y\n\n".into())));
    advance(Duration::from_secs(100)).await;
    assert_eq!(client.buffer(), Poll::Pending, "no heartbeat");
    assert_eq!(
        manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await,
        1
    );
    assert_eq!(client.buffer(), Poll::Ready(None), "no farewell");
}

#[tokio::test]
async fn every_stream_gets_its_own_dialect() {
    let manager = Manager::builder().build().unwrap();
    let (mut plain, mut other) = (
        Client::greeted(&manager, Handshake::new()),
        Client::connect(&manager, laconic()),
    );
    let event = Event::text("a\r\nb").with_comment("not for everyone");
    assert_eq!(manager.all().publish(event).await.unwrap().matched, 2);
    assert_eq!(
        plain.buffer(),
        Poll::Ready(Some(": not for everyone\ndata: a\ndata: b\n\n".into()))
    );
    assert_eq!(
        other.buffer(),
        Poll::Ready(Some("data: a\ndata: b\n\n".into()))
    );
}

/// Writes everything a hundred times.
struct Verbose;

impl Dialect for Verbose {
    fn name(&self) -> &'static str {
        "verbose"
    }

    fn hello(&self, _: &Hello, _: &mut FrameWriter) {}

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        (0..100).for_each(|_| out.event(event));
    }

    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
        out.event(beat);
    }

    fn end(&self, _: &Farewell, _: &mut FrameWriter) {}
}

#[tokio::test]
async fn longer_dialect_frame_fits_an_empty_queue() {
    let manager = Manager::builder().queue(10, 1024).build().unwrap();
    let mut client = Client::connect(&manager, Handshake::new().dialect(Arc::new(Verbose)));
    manager
        .all()
        .publish(Event::text("x".repeat(900)))
        .await
        .unwrap();
    assert_eq!(client.data().len(), 100);
    assert!(!client.over);
}

struct Named(&'static str);

impl Dialect for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    fn hello(&self, _: &Hello, _: &mut FrameWriter) {}

    fn event(&self, _: &Event, _: &mut FrameWriter) {}

    fn heartbeat(&self, _: &Event, _: &mut FrameWriter) {}

    fn end(&self, _: &Farewell, _: &mut FrameWriter) {}
}

#[test]
fn number_of_dialects_is_limited() {
    const NAMES: [&str; MAX_DIALECTS] = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let manager = Manager::builder().build().unwrap();
    let connect = |name| manager.connect(Handshake::new().dialect(Arc::new(Named(name))));
    for name in &NAMES[..MAX_DIALECTS - 1] {
        assert!(connect(name).is_ok());
        assert!(connect(name).is_ok(), "a known dialect is accepted again");
    }
    let refused = connect(NAMES[MAX_DIALECTS - 1]).unwrap_err();
    assert_eq!(refused.cause(), &ConnectErrorKind::TooManyDialects);
    assert!(connect("1").is_ok());
}

/// Writes an empty id for an event without an id.
struct Restoring;

impl Dialect for Restoring {
    fn name(&self) -> &'static str {
        "restoring"
    }

    fn hello(&self, _: &Hello, out: &mut FrameWriter) {
        out.event(&Event::text("hello").with_id(EventId::reset()));
    }

    fn event(&self, event: &Event, out: &mut FrameWriter) {
        match event.id() {
            Some(_) => out.event(event),
            None => out.event(&event.clone().with_id(EventId::reset())),
        }
    }

    fn heartbeat(&self, beat: &Event, out: &mut FrameWriter) {
        out.event(beat);
    }

    fn end(&self, _: &Farewell, _: &mut FrameWriter) {}

    fn restores_ids(&self) -> bool {
        true
    }

    fn restore(&self, id: &EventId, out: &mut FrameWriter) {
        out.event(&Event::empty().with_id(id.clone()));
    }
}

#[tokio::test]
async fn last_event_id_is_restored_after_events_without_id() {
    let manager = Manager::builder().build().unwrap();
    let handshake = || Handshake::new().dialect(Arc::new(Restoring));
    let mut fresh = Client::connect(&manager, handshake());
    let id =
        Handshake::from_request("GET", Some("lastEventId=6"), None).dialect(Arc::new(Restoring));
    let mut returning = Client::connect(&manager, id);
    assert_eq!(
        fresh.buffer(),
        Poll::Ready(Some("id: \ndata: hello\n\n".into()))
    );
    assert_eq!(
        returning.buffer(),
        Poll::Ready(Some("id: \ndata: hello\n\nid: 6\n\n".into()))
    );

    manager
        .all()
        .publish(Event::text("untracked"))
        .await
        .unwrap();
    assert_eq!(
        fresh.buffer(),
        Poll::Ready(Some("id: \ndata: untracked\n\n".into()))
    );
    assert_eq!(
        returning.buffer(),
        Poll::Ready(Some("id: \ndata: untracked\n\nid: 6\n\n".into()))
    );

    manager
        .all()
        .publish(Event::text("tracked").with_id(EventId::from(7)))
        .await
        .unwrap();
    manager.all().publish(Event::text("a")).await.unwrap();
    manager.all().publish(Event::text("b")).await.unwrap();
    let expected = "id: 7\ndata: tracked\n\nid: \ndata: a\n\nid: 7\n\nid: \ndata: b\n\nid: 7\n\n";
    for client in [&mut fresh, &mut returning] {
        assert_eq!(client.buffer(), Poll::Ready(Some(expected.into())));
    }
    // The restored id is not an event.
    assert_eq!(manager.stats().counters.delivered, 8);
}
