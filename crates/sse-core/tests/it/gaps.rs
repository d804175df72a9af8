//! Gaps: events that a returning client, or one with a full queue, does not receive.

use std::task::Poll;

use sse_core::{Event, Handshake, Manager, Retention, config::Overflow};

use crate::support::{Client, data, from, name, publish_all, resumed};

use crate::log::{gap, keeping, last_id, logging};

#[tokio::test]
async fn trimmed_entries_are_a_gap() {
    let manager = keeping(3);
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1", "2", "3", "4", "5"]).await;
    let mut client = Client::connect(&manager, from(&had));
    let events = client.take();
    assert!(!resumed(&events));
    assert_eq!(name(&events[1]), "gap");
    let reported = gap(&events);
    assert_eq!(
        (reported["reason"].as_str(), reported["from"].as_str()),
        (Some("trimmed"), Some(had.as_str()))
    );
    assert_eq!(data(&events), ["3", "4", "5"]);

    // A client that returns with the position of the gap loses no events.
    let mut again = Client::connect(&manager, from(reported["to"].as_str().unwrap()));
    let events = again.take();
    assert!(resumed(&events));
    assert_eq!(data(&events), ["3", "4", "5"]);
    assert_eq!(manager.log_stats().unwrap().gaps.get("trimmed"), 1);
}

#[tokio::test]
async fn trim_during_replay_reports_gap_from_last_event() {
    let manager = keeping(4000);
    let mut client = Client::connect(&manager, Handshake::new().user("42"));
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, (0..3000).map(|number| number.to_string())).await;
    let mut slow = Client::connect(&manager, from(&had).user("42"));
    let mut others = Client::connect(&manager, from(&had).user("43"));
    let Poll::Ready(Some(_)) = slow.buffer() else {
        panic!("no first block")
    };
    let Poll::Ready(Some(buffer)) = slow.buffer() else {
        panic!("no part of the log")
    };
    let taken = slow.decoder.feed(&buffer);
    assert!(taken.len() < 3000, "{}", taken.len());
    let Poll::Ready(Some(_)) = others.buffer() else {
        panic!("no first block")
    };
    // All earlier entries are trimmed.
    for number in 0..4000 {
        manager
            .user("42")
            .publish(Event::text(format!("new {number}")))
            .await
            .unwrap();
    }
    let rest = slow.take();
    let reported = gap(&rest);
    assert_eq!(
        (reported["reason"].as_str(), reported["from"].as_str()),
        (Some("trimmed"), Some(&*last_id(&taken)))
    );
    assert_eq!(data(&rest).len(), 4000);
    assert_eq!(gap(&others.take())["reason"], "trimmed");
}

#[tokio::test]
async fn foreign_ids_are_gaps() {
    let manager = logging();
    publish_all(&manager, ["1", "2"]).await;
    let head = manager.log_stats().unwrap().head;
    let future = format!("{}-7", head.epoch);
    for (id, reason) in [
        ("0", "invalid"),
        ("ä\u{85}ö", "invalid"),
        ("e-01", "invalid"),
        ("0123456789abcdef-1", "epoch"),
        (&*future, "future"),
    ] {
        let mut client = Client::connect(&manager, from(id));
        publish_all(&manager, ["live"]).await;
        let events = client.take();
        assert!(!resumed(&events));
        assert_eq!(
            events[0].id, id,
            "a client that is cut off here receives the gap when it returns"
        );
        let reported = gap(&events);
        assert_eq!(reported["reason"], reason, "{id}");
        assert_eq!(name(&events[1]), "gap");
        assert_eq!(data(&events).last(), Some(&"live"));
        let stats = manager.log_stats().unwrap();
        assert!(stats.gaps.get(reason) > 0, "{stats:?}");
    }
    let not_utf8 = Handshake::from_request("GET", None, Some(b"\xff\xfe"));
    assert_eq!(
        gap(&Client::connect(&manager, not_utf8).take())["reason"],
        "invalid"
    );
}

#[tokio::test]
async fn growing_gap_is_reported_once_from_its_start() {
    let manager = keeping(3);
    for (id, reason) in [("0123456789abcdef-1", "epoch"), ("0", "invalid")] {
        publish_all(&manager, ["before"]).await;
        let mut client = Client::connect(&manager, from(id));
        publish_all(&manager, ["1", "2", "3", "4", "5"]).await;
        let events = client.take();
        assert_eq!(
            events.iter().map(name).collect::<Vec<_>>(),
            ["connection", "gap", "message", "message", "message"]
        );
        let reported = gap(&events);
        assert_eq!(
            (reported["reason"].as_str(), reported["from"].as_str()),
            (Some(reason), Some(id).filter(|id| id.len() > 1))
        );
        assert_eq!(reported["to"], trimmed(&manager));
        assert_eq!(data(&events), ["3", "4", "5"]);
    }
}

pub(crate) fn trimmed(manager: &Manager) -> String {
    let log = manager.log_stats().unwrap();
    format!("{}-{}", log.head.epoch, log.trimmed)
}

#[tokio::test]
async fn overflow_loses_no_logged_event() {
    let manager = Manager::builder()
        .log(Retention::default())
        .queue(2, 1 << 20)
        .build()
        .unwrap();
    let mut client = Client::connect(&manager, Handshake::new());
    let mut had = client.take();
    publish_all(&manager, ["1", "2", "3", "4"]).await;
    let last = client.take();
    assert!(client.over);
    assert_eq!(
        last.iter().map(name).collect::<Vec<_>>(),
        ["message", "message", "disconnected"]
    );
    had.extend(last);
    let again = Client::connect(&manager, from(&last_id(&had))).take();
    assert_eq!(data(&again), ["3", "4"]);
}

#[tokio::test]
async fn overflow_reports_unlogged_events() {
    let manager = Manager::builder()
        .log(Retention::default())
        .queue(1, 1 << 20)
        .build()
        .unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["1"]).await;
    manager
        .client(client.id())
        .publish(Event::text("lost"))
        .await
        .unwrap();
    assert_eq!(client.names(), ["message", "gap", "disconnected"]);
}

#[tokio::test]
async fn dropped_events_are_replayed_from_before_the_gap() {
    let builder = Manager::builder()
        .log(Retention::default())
        .overflow(Overflow::DropOldest);
    let manager = builder.queue(2, 1 << 20).build().unwrap();
    let mut client = Client::connect(&manager, Handshake::new());
    let before = last_id(&client.take());
    publish_all(&manager, ["1", "2", "3", "4"]).await;
    let events = client.take();
    let reported = gap(&events);
    assert_eq!(
        (reported["reason"].as_str(), reported["dropped"].as_u64()),
        (Some("overflow"), Some(2))
    );
    assert_eq!(data(&events), ["3", "4"]);
    let after = reported["to"].as_str().unwrap();
    assert_eq!(
        data(&Client::connect(&manager, from(after)).take()),
        ["3", "4"]
    );
    assert_eq!(
        data(&Client::connect(&manager, from(&before)).take()),
        ["1", "2", "3", "4"]
    );
}
