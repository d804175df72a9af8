//! The queue of one stream: bounds, overflow, and delivery.

use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use sse_core::{
    DisconnectReason, Event, EventType, Handshake, Manager, PublishError,
    config::{CollapseBy, Overflow},
};
use sse_testkit::{Dechunker, Decoded};

use crate::support::{Client, Heard, json, name, publish_all};

/// Returns the number of dropped events that a gap reports; `None` if the gap does not know it.
fn gap(event: &Decoded) -> Option<u64> {
    assert_eq!(name(event), "gap");
    let data = &json(event)["data"];
    assert_eq!(
        (
            &data["reason"],
            data["from"].is_null(),
            data["to"].is_null()
        ),
        (&"overflow".into(), true, true)
    );
    data["dropped"].as_u64()
}

fn manager(frames: usize, overflow: Overflow) -> (Manager, Heard) {
    let heard = Heard::default();
    let builder = Manager::builder()
        .queue(frames, 1 << 20)
        .overflow(overflow)
        .hooks(heard.clone());
    (builder.build().unwrap(), heard)
}

#[tokio::test]
async fn oldest_events_are_dropped_with_a_gap() {
    let (manager, heard) = manager(4, Overflow::DropOldest);
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, (0..10).map(|number| number.to_string())).await;
    let events = client.take();
    assert_eq!(gap(&events[0]), Some(6));
    let rest: Vec<_> = events[1..]
        .iter()
        .map(|event| event.data.as_str())
        .collect();
    assert_eq!(rest, ["6", "7", "8", "9"]);
    publish_all(&manager, ["10"]).await;
    assert_eq!(client.data(), ["10"], "the gap is sent once");
    let counters = manager.stats().counters;
    assert_eq!(
        (
            counters.published,
            counters.queued,
            counters.dropped,
            counters.delivered
        ),
        (11, 11, 6, 5)
    );
    assert_eq!(heard.dropped(), 6);
    drop(client);
    assert_eq!(heard.departed()[0].1.delivered, 5);
}

#[tokio::test]
async fn full_queue_ends_the_stream_after_a_gap() {
    let (manager, heard) = manager(3, Overflow::Disconnect);
    let mut slow = Client::greeted(&manager, Handshake::new());
    let mut quick = Client::greeted(&manager, Handshake::new());
    for number in 0..3 {
        publish_all(&manager, [number.to_string()]).await;
        assert_eq!(quick.data(), [number.to_string()]);
    }
    let receipt = manager
        .all()
        .publish(Event::text("too much"))
        .await
        .unwrap();
    assert_eq!(receipt.matched, 2, "a full queue counts");
    let receipt = manager
        .all()
        .publish(Event::text("without it"))
        .await
        .unwrap();
    assert_eq!(receipt.matched, 1, "an ending stream does not count");
    assert_eq!(manager.stats().total_connections, 1);
    assert_eq!(manager.stats().ending, 1);

    let events = slow.take();
    assert_eq!(
        events[..3]
            .iter()
            .map(|event| event.data.as_str())
            .collect::<Vec<_>>(),
        ["0", "1", "2"]
    );
    assert_eq!(gap(&events[3]), None);
    assert_eq!(name(&events[4]), "disconnected");
    assert_eq!(
        json(&events[4])["data"],
        serde_json::json!({ "reason": "overflow", "reconnect": true })
    );
    assert!(slow.over && events.len() == 5);
    assert_eq!(quick.data(), ["too much", "without it"]);
    assert_eq!(manager.stats().counters.dropped, 1);
    drop(slow);
    assert_eq!(heard.reasons(), [DisconnectReason::Overflow]);
    assert_eq!(manager.stats().ending, 0);
}

#[tokio::test]
async fn newer_event_of_the_same_type_replaces() {
    let (manager, heard) = manager(3, Overflow::KeepLatest(CollapseBy::EventType));
    let mut client = Client::greeted(&manager, Handshake::new());
    for (name, text) in [
        ("a", "a1"),
        ("b", "b1"),
        ("a", "a2"),
        ("b", "b2"),
        ("c", "c1"),
    ] {
        let event = Event::text(text).with_event_type(EventType::new(name).unwrap());
        manager.all().publish(event).await.unwrap();
    }
    let events = client.take();
    assert_eq!(gap(&events[0]), Some(2), "b1 by its type, a1 as the oldest");
    assert_eq!(
        events[1..]
            .iter()
            .map(|event| event.data.as_str())
            .collect::<Vec<_>>(),
        ["a2", "b2", "c1"]
    );
    assert_eq!(heard.dropped(), 2);
}

#[tokio::test]
async fn newer_event_of_the_same_key_replaces_if_enabled() {
    let (manager, _) = manager(2, Overflow::Disconnect);
    let overflow = Overflow::KeepLatest(CollapseBy::Key);
    let mut client = Client::greeted(&manager, Handshake::new().overflow(overflow));
    for (key, text) in [
        (Some("x"), "x1"),
        (Some("y"), "y1"),
        (Some("y"), "y2"),
        (None, "n1"),
    ] {
        let event = Event::text(text);
        let event = if let Some(key) = key {
            event.with_collapse_key(key)
        } else {
            event
        };
        manager.all().publish(event).await.unwrap();
    }
    let events = client.take();
    assert_eq!(gap(&events[0]), Some(2), "y1 by its key, x1 as the oldest");
    assert_eq!(
        events[1..]
            .iter()
            .map(|event| event.data.as_str())
            .collect::<Vec<_>>(),
        ["y2", "n1"]
    );
}

#[tokio::test]
async fn largest_event_is_as_large_as_the_queue() {
    let manager = Manager::builder().queue(10, 1024).build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    let text = "x".repeat(1024 - "data: \n\n".len());
    let receipt = manager.all().publish(Event::text(&text)).await.unwrap();
    assert_eq!((receipt.matched, client.data()), (1, vec![text.clone()]));
    let error = manager
        .all()
        .publish(Event::text(text + "x"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PublishError::TooLarge {
                size: 1025,
                limit: 1024
            }
        ),
        "{error}"
    );
    assert!(matches!(
        manager.all().publish(Event::empty()).await,
        Err(PublishError::Empty)
    ));
    assert_eq!(manager.stats().counters.published, 1);
}

#[tokio::test]
async fn waiting_events_leave_as_one_buffer() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, (0..500).map(|number| number.to_string())).await;
    let Poll::Ready(Some(buffer)) = client.buffer() else {
        panic!("no event waits")
    };
    assert_eq!(client.decoder.feed(&buffer).len(), 500);
    assert_eq!(client.buffer(), Poll::Pending);
    publish_all(&manager, (0..20).map(|_| "x".repeat(10_000))).await;
    let mut events = 0;
    while let Poll::Ready(Some(buffer)) = client.buffer() {
        assert!(buffer.len() <= 64 << 10, "{}", buffer.len());
        events += client.decoder.feed(&buffer).len();
    }
    assert_eq!(events, 20);
    publish_all(&manager, ["y".repeat(200_000)]).await;
    assert_eq!(
        client.data(),
        ["y".repeat(200_000)],
        "a larger event leaves alone"
    );
}

#[tokio::test]
async fn frames_are_shared_and_are_chunks() {
    let manager = Manager::builder().build().unwrap();
    let mut sessions = [0; 2].map(|_| manager.connect(Handshake::new()).unwrap());
    publish_all(&manager, ["one", "two", "three"]).await;
    let mut both = [Vec::new(), Vec::new()];
    for (session, frames) in sessions.iter_mut().zip(&mut both) {
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(
            session.poll_frames(cx, 1 << 20, frames),
            Poll::Ready(Some(1)),
            "the first block"
        );
        assert_eq!(
            session.poll_frames(cx, 0, frames),
            Poll::Ready(Some(1)),
            "at least one"
        );
        assert_eq!(
            session.poll_frames(cx, 1 << 20, frames),
            Poll::Ready(Some(2))
        );
        assert_eq!(session.poll_frames(cx, 1 << 20, frames), Poll::Pending);
        let (mut dechunker, mut content) = (Dechunker::new(), Vec::new());
        for frame in &*frames {
            dechunker.feed(frame.chunk(), &mut content).unwrap();
        }
        assert!(content.ends_with(b"data: one\n\ndata: two\n\ndata: three\n\n"));
    }
    for (one, other) in both[0][1..].iter().zip(&both[1][1..]) {
        assert_eq!(
            one.chunk().as_ptr(),
            other.chunk().as_ptr(),
            "the same bytes"
        );
        assert_eq!(
            one.event().as_ptr(),
            one.as_event().as_ptr(),
            "without a copy"
        );
    }
}

#[tokio::test]
async fn listing_reports_waiting_events() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["a", "b"]).await;
    let listed = || {
        manager
            .connections(&sse_core::connections::ConnectionQuery::first(1))
            .items[0]
            .clone()
    };
    assert_eq!((listed().waiting, listed().delivered), (2, 0));
    assert_eq!(client.take().len(), 2);
    assert_eq!((listed().waiting, listed().delivered), (0, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// `Some(length)` publishes `length` bytes of data, `None` lets the client take everything.
    #[test]
    fn nothing_is_lost_without_a_gap_that_counts_it(
        steps in proptest::collection::vec(proptest::option::weighted(0.9, 0_usize..600), 0..80),
        frames in 1_usize..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let manager =
            Manager::builder().queue(frames, 1024).overflow(Overflow::DropOldest).build().unwrap();
        let mut client = Client::greeted(&manager, Handshake::new());
        let (mut waiting, mut dropped) = (std::collections::VecDeque::<String>::new(), 0);
        for (number, step) in steps.into_iter().chain([None]).enumerate() {
            if let Some(length) = step {
                let text = format!("{number}:{}", "x".repeat(length));
                runtime.block_on(publish_all(&manager, [&text]));
                waiting.push_back(text);
                let size = |waiting: &std::collections::VecDeque<String>| {
                    waiting.iter().map(|text| text.len() + 8).sum::<usize>()
                };
                while waiting.len() > frames || size(&waiting) > 1024 {
                    waiting.pop_front();
                    dropped += 1;
                }
            } else {
                let mut events = client.take();
                if dropped > 0 {
                    prop_assert_eq!(gap(&events.remove(0)), Some(dropped));
                }
                dropped = 0;
                let expected: Vec<_> = waiting.drain(..).collect();
                prop_assert_eq!(events.into_iter().map(|event| event.data).collect::<Vec<_>>(), expected);
            }
        }
    }
}
