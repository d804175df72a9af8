//! The event log of one manager: the events that a returning client receives.

use std::time::Duration;

use sse_core::{
    DisconnectOptions, Event, EventType, Handshake, Manager, PublishError, Receipt, Retention,
    Target, Topic, backplane::IdempotencyKeyError, event::EventId,
};
use sse_testkit::Decoded;

use crate::support::{Client, data, from, json, name, publish_all, resumed};

pub(crate) fn logging() -> Manager {
    Manager::builder()
        .log(Retention::default())
        .build()
        .unwrap()
}

pub(crate) fn keeping(entries: usize) -> Manager {
    Manager::builder()
        .log(Retention::default().entries(entries))
        .build()
        .unwrap()
}

/// Returns the id that a client has after some events.
pub(crate) fn last_id(events: &[Decoded]) -> String {
    events
        .last()
        .map(|event| event.id.clone())
        .filter(|id| !id.is_empty())
        .expect("the client has an id")
}

/// Returns the only gap among some events.
pub(crate) fn gap(events: &[Decoded]) -> serde_json::Value {
    let mut gaps = events
        .iter()
        .filter(|event| event.event_type == "system" && json(event)["event"] == "gap");
    let gap = gaps.next().expect("the client receives a gap");
    assert_eq!(gaps.next(), None);
    let data = json(gap)["data"].clone();
    assert_eq!(
        Some(&*gap.id),
        data["to"].as_str(),
        "the gap carries the position after it"
    );
    data
}

#[tokio::test]
async fn no_log_means_no_ids() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::connect(&manager, from("e-1"));
    let receipt = manager.all().publish(Event::text("a")).await.unwrap();
    assert_eq!(receipt.id, None);
    let events = client.take();
    assert!(!resumed(&events));
    assert!(events.iter().all(|event| event.id.is_empty()), "{events:?}");
    assert_eq!(manager.log_stats(), None);
}

#[tokio::test]
async fn returning_client_gets_missed_events_once_in_order() {
    let manager = logging();
    let shake = |id: &str| from(id).user("42").topic("news");
    let mut client = Client::connect(&manager, Handshake::new().user("42").topic("news"));
    let first = client.take();
    assert!(!resumed(&first), "a newcomer resumes nothing");
    manager.user("42").publish(Event::text("0")).await.unwrap();
    let had = last_id(&client.take());
    drop(client);

    manager.all().publish(Event::text("1")).await.unwrap();
    manager
        .user("43")
        .publish(Event::text("another's"))
        .await
        .unwrap();
    manager
        .topic("news")
        .publish(Event::text("2"))
        .await
        .unwrap();
    manager
        .topic("olds")
        .publish(Event::text("of another topic"))
        .await
        .unwrap();
    let last = manager.user("42").publish(Event::text("3")).await.unwrap();
    assert_eq!(last.matched, 0);

    let mut client = Client::connect(&manager, shake(&had));
    manager.all().publish(Event::text("4")).await.unwrap();
    let events = client.take();
    assert!(resumed(&events));
    assert_eq!(events[0].id, had, "a disconnect here loses no event");
    assert_eq!(data(&events), ["1", "2", "3", "4"]);
    publish_all(&manager, ["5"]).await;
    assert_eq!(data(&client.take()), ["5"]);
    let stats = manager.log_stats().unwrap();
    assert_eq!((stats.resumed, stats.replayed, stats.entries), (1, 4, 8));
}

#[tokio::test]
async fn client_that_missed_nothing_is_live_at_once() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let id = last_id(&client.take());
    let mut again = Client::connect(&manager, from(&id));
    let events = again.take();
    assert!(resumed(&events) && events.len() == 1);
    assert_eq!(manager.log_stats().unwrap().gaps.total(), 0);
}

#[tokio::test]
async fn receipt_has_the_id_that_the_client_receives() {
    let manager = logging();
    let mut client = Client::greeted(&manager, Handshake::new());
    let receipt = manager.all().publish(Event::text("a")).await.unwrap();
    assert_eq!(receipt.matched, 1);
    assert_eq!(
        Some(&*client.take()[0].id),
        receipt.id.as_ref().map(EventId::as_str)
    );
}

#[tokio::test]
async fn ephemeral_and_single_client_events_are_not_logged() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new().user("42"));
    let had = last_id(&client.take());
    let one = manager
        .client(client.id())
        .publish(Event::text("for one"))
        .await
        .unwrap();
    let now = manager
        .user("42")
        .publish(Event::text("for now").ephemeral())
        .await
        .unwrap();
    assert_eq!(
        (one.id, one.matched, now.id, now.matched),
        (None, 1, None, 1)
    );
    let events = client.take();
    assert_eq!(data(&events), ["for one", "for now"]);
    assert!(events.iter().all(|event| event.id == had));
    assert_eq!(manager.log_stats().unwrap().entries, 0);
}

#[tokio::test]
async fn unlogged_events_keep_their_order_during_replay() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1", "2"]).await;
    let mut client = Client::connect(&manager, from(&had));
    manager
        .client(client.id())
        .publish(Event::text("unlogged a"))
        .await
        .unwrap();
    publish_all(&manager, ["3"]).await;
    manager
        .all()
        .publish(Event::text("unlogged b").ephemeral())
        .await
        .unwrap();
    publish_all(&manager, ["4"]).await;
    assert_eq!(
        data(&client.take()),
        ["1", "2", "unlogged a", "3", "unlogged b", "4"]
    );
}

#[tokio::test]
async fn topic_changes_during_replay_apply_from_then_on() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    let topic = Topic::new("t").unwrap();
    let publish = async |text: &str| manager.topic("t").publish(Event::text(text)).await.unwrap();
    publish("before").await;
    publish_all(&manager, ["1"]).await;
    let mut client = Client::connect(&manager, from(&had));
    publish("not joined yet").await;
    manager.join(client.id(), &topic).unwrap();
    publish("joined").await;
    manager.leave(client.id(), &topic).unwrap();
    publish("left").await;
    manager.join(client.id(), &topic).unwrap();
    publish("joined again").await;
    assert_eq!(data(&client.take()), ["1", "joined", "joined again"]);
    publish("live").await;
    assert_eq!(data(&client.take()), ["live"]);
}

#[tokio::test]
async fn every_query_parameter_name_resumes() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    publish_all(&manager, ["missed"]).await;
    for name in ["lastEventId", "last_event_id", "Last-Event-ID"] {
        let shake = Handshake::from_request("GET", Some(&format!("{name}={had}")), None);
        assert_eq!(
            data(&Client::connect(&manager, shake).take()),
            ["missed"],
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn quiet_client_resumes_by_heartbeat_ids() {
    let manager = keeping(2);
    let mut quiet = Client::greeted(&manager, Handshake::new().user("42"));
    for number in 0..10 {
        manager
            .user("43")
            .publish(Event::text(number.to_string()))
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(40)).await;
    let beats = quiet.take();
    assert!(
        beats.iter().all(|event| event.event_type == "heartbeat"),
        "{beats:?}"
    );
    let head = manager.log_stats().unwrap().head.to_string();
    assert_eq!(last_id(&beats), head);
    drop(quiet);
    manager
        .user("42")
        .publish(Event::text("missed"))
        .await
        .unwrap();
    let mut again = Client::connect(&manager, from(&head).user("42"));
    let events = again.take();
    assert!(resumed(&events));
    assert_eq!(data(&events), ["missed"]);
}

#[tokio::test(start_paused = true)]
async fn old_records_are_removed() {
    let hour = Duration::from_secs(3600);
    let manager = Manager::builder()
        .log(Retention::default().age(hour))
        .build()
        .unwrap();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["old"]).await;
    tokio::time::advance(hour).await;
    publish_all(&manager, ["new"]).await;
    let events = Client::connect(&manager, from(&had)).take();
    assert_eq!(
        (gap(&events)["reason"].as_str(), data(&events)),
        (Some("trimmed"), vec!["new"])
    );
}

#[tokio::test]
async fn key_takes_effect_once() {
    let manager = logging();
    let mut client = Client::greeted(&manager, Handshake::new());
    let publish = || {
        manager
            .all()
            .publish(Event::text("once").with_idempotency_key("order 7"))
    };
    let first = publish().await.unwrap();
    let again = publish().await.unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((&first.id, again.matched), (&again.id, 0));
    assert_eq!(client.take().len(), 1);
    assert_eq!(manager.log_stats().unwrap().duplicates, 1);
}

#[tokio::test]
async fn invalid_keys_and_ids_are_rejected() {
    let manager = logging();
    let publish = |event: Event| manager.all().publish(event);
    let id = Event::text("x").with_id(EventId::new("mine").unwrap());
    assert!(matches!(publish(id).await, Err(PublishError::Id)));
    for key in [String::new(), "k".repeat(129)] {
        let error = publish(Event::text("x").with_idempotency_key(key))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                PublishError::Key(IdempotencyKeyError::Length { limit: 128, .. })
            ),
            "{error:?}"
        );
    }
    let unlogged = Event::text("x").ephemeral().with_idempotency_key("k");
    assert!(matches!(
        publish(unlogged).await,
        Err(PublishError::Key(IdempotencyKeyError::NotLogged))
    ));
    let without = Manager::builder().build().unwrap();
    let error = without
        .all()
        .publish(Event::text("x").with_idempotency_key("k"))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        PublishError::Key(IdempotencyKeyError::NotLogged)
    ));
    let stats = manager.log_stats().unwrap();
    assert_eq!((stats.entries, manager.stats().counters.published), (0, 0));
}

#[tokio::test]
async fn excluded_client_is_excluded_during_replay() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1"]).await;
    let mut client = Client::connect(&manager, from(&had));
    let id = client.id();
    let receipt = manager
        .all()
        .except(id)
        .publish(Event::text("not for it"))
        .await
        .unwrap();
    assert_eq!(receipt.matched, 0);
    publish_all(&manager, ["2"]).await;
    assert_eq!(data(&client.take()), ["1", "2"]);
}

#[tokio::test]
async fn stream_ended_during_replay_gets_a_farewell() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1"]).await;
    let mut client = Client::connect(&manager, from(&had));
    manager
        .client(client.id())
        .publish(Event::text("unlogged"))
        .await
        .unwrap();
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    let events = client.take();
    assert_eq!(
        events.iter().map(name).collect::<Vec<_>>(),
        ["connection", "message", "disconnected"]
    );
    assert_eq!(
        last_id(&events),
        had,
        "no entry of the log was delivered, so no event is lost"
    );
    assert!(client.over);
}

#[tokio::test(start_paused = true)]
async fn client_that_stalls_during_replay_is_ended() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1"]).await;
    let slow = manager.connect(from(&had)).unwrap();
    let ended = slow.closed();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(ended.await, sse_core::DisconnectReason::Stalled);
}

#[tokio::test]
async fn other_dialects_resume_as_well() {
    let manager = logging();
    let mut client = Client::connect(&manager, Handshake::new());
    let had = last_id(&client.take());
    drop(client);
    publish_all(&manager, ["1", "2"]).await;
    manager
        .all()
        .publish(Event::text("typed").with_event_type(EventType::from_static("t")))
        .await
        .unwrap();
    let shake = from(&had).dialect(std::sync::Arc::new(crate::support::Laconic));
    assert_eq!(data(&Client::connect(&manager, shake).take()), ["1", "2"]);
}

#[tokio::test]
async fn returning_clients_cost_only_their_missed_events() {
    let manager = keeping(100_000);
    let mut ids = Vec::new();
    for user in 0..1000 {
        let user = format!("u{user}");
        let receipt: Receipt = manager
            .user(&user)
            .publish(Event::text("had"))
            .await
            .unwrap();
        ids.push((user, receipt.id.unwrap()));
    }
    for number in 0..50_000 {
        manager
            .user(format!("u{}", number % 10))
            .publish(Event::text("x"))
            .await
            .unwrap();
    }
    for (user, id) in &ids {
        let mut client = Client::connect(&manager, from(id.as_str()).user(user));
        let events = client.take();
        let number: usize = user[1..].parse().unwrap();
        assert_eq!(
            data(&events).len(),
            if number < 10 { 5000 } else { 0 },
            "{user}"
        );
    }
}
