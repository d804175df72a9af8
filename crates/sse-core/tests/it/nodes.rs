//! Several managers on one backplane.

use std::{sync::Arc, time::Duration};

use sse_core::{
    ConnectErrorKind, Event, Handshake, Manager, PublishError, Retention, Target,
    backplane::{Backplane, MemoryBackplane},
    config::Overflow,
    event::EventId,
    stats::LogState,
};
use sse_testkit::{Decoded, backplane::ScriptedBackplane};
use tokio::time::sleep;

use crate::support::{Client, data, from, json, name, publish_all, resumed};

/// Long enough for operations in flight, in paused time.
pub(crate) const SOON: Duration = Duration::from_millis(50);

pub(crate) async fn node(backplane: impl Backplane) -> Manager {
    node_holding(backplane, Retention::default()).await
}

pub(crate) async fn node_holding(backplane: impl Backplane, retention: Retention) -> Manager {
    let manager = Manager::builder()
        .backplane(backplane)
        .log(retention)
        .build()
        .unwrap();
    manager.follow();
    while manager.log_stats().unwrap().state == LogState::Starting {
        sleep(SOON).await;
    }
    manager
}

pub(crate) fn reasons(events: &[Decoded]) -> Vec<String> {
    let gaps = events.iter().filter(|event| name(event) == "gap");
    gaps.map(|gap| json(gap)["data"]["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_node_has_the_same_events_with_the_same_ids() {
    let backplane = MemoryBackplane::new(Retention::default());
    let (one, two) = (node(backplane.clone()).await, node(backplane).await);
    let (mut here, mut there) = (
        Client::greeted(&one, Handshake::new().user("42")),
        Client::greeted(&two, Handshake::new().user("42")),
    );
    for number in 0..10 {
        let node = if number % 2 == 0 { &one } else { &two };
        let receipt = node
            .user("42")
            .publish(Event::text(number.to_string()))
            .await
            .unwrap();
        assert_eq!(receipt.matched, 1, "streams of this node");
    }
    sleep(SOON).await;
    let (here, there) = (here.take(), there.take());
    assert_eq!(here, there);
    assert_eq!(
        data(&here),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
}

#[tokio::test(start_paused = true)]
async fn publish_returns_after_its_node_queued_the_event() {
    let manager = node(MemoryBackplane::new(Retention::default())).await;
    let mut clients: Vec<_> = (0..1000)
        .map(|_| Client::greeted(&manager, Handshake::new()))
        .collect();
    let receipt = manager.all().publish(Event::text("x")).await.unwrap();
    assert_eq!(receipt.matched, 1000);
    for client in &mut clients {
        let events = client.take();
        assert_eq!(
            Some(&*events[0].id),
            receipt.id.as_ref().map(EventId::as_str)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn client_resumes_on_another_node() {
    let backplane = MemoryBackplane::new(Retention::default());
    let (one, two) = (node(backplane.clone()).await, node(backplane.clone()).await);
    let mut client = Client::connect(&one, Handshake::new().user("42"));
    publish_all(&two, ["had"]).await;
    sleep(SOON).await;
    let had = client.take().last().unwrap().id.clone();
    drop((client, one));
    two.user("42").publish(Event::text("missed")).await.unwrap();
    two.user("43")
        .publish(Event::text("another's"))
        .await
        .unwrap();

    // A node that existed before, and a node that starts now.
    for node in [two.clone(), node(backplane).await] {
        let events = Client::connect(&node, from(&had).user("42")).take();
        assert!(resumed(&events));
        assert_eq!(data(&events), ["missed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_rejected_until_the_log_is_read() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    backplane.set_away(true);
    let manager = Manager::builder()
        .backplane(backplane.clone())
        .build()
        .unwrap();
    let refused = manager.connect(Handshake::new()).unwrap_err();
    assert_eq!(refused.cause(), &ConnectErrorKind::Starting);
    assert_eq!(refused.response().status, 503);
    assert_eq!(manager.log_stats().unwrap().state, LogState::Starting);
    backplane.set_away(false);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(manager.log_stats().unwrap().state, LogState::Current);
    Client::greeted(&manager, Handshake::new());
}

#[tokio::test(start_paused = true)]
async fn node_starts_once_the_log_is_read() {
    for entries in [0, 1, 1023, 1024, 1025, 5000] {
        let backplane = MemoryBackplane::new(Retention::default());
        let first = node(backplane.clone()).await;
        for number in 0..entries {
            first
                .all()
                .publish(Event::text(number.to_string()))
                .await
                .unwrap();
        }
        let start = tokio::time::Instant::now();
        let manager = Manager::builder().backplane(backplane).build().unwrap();
        assert!(manager.started().await);
        assert_eq!(
            start.elapsed(),
            Duration::ZERO,
            "{entries} entries: the start waited for a quiet tail"
        );
        assert_eq!(manager.log_stats().unwrap().state, LogState::Current);
        Client::greeted(&manager, Handshake::new());
    }
    let alone = Manager::builder()
        .log(Retention::default())
        .build()
        .unwrap();
    assert!(alone.started().await);
}

#[tokio::test(start_paused = true)]
async fn node_starts_on_a_growing_log() {
    let backplane = MemoryBackplane::new(Retention::default());
    let first = node(backplane.clone()).await;
    let manager = Manager::builder().backplane(backplane).build().unwrap();
    let grows = async {
        loop {
            first.all().publish(Event::text("more")).await.unwrap();
        }
    };
    tokio::select! {
        () = grows => {}
        started = manager.started() => assert!(started),
    }
    Client::greeted(&manager, Handshake::new());
}

#[tokio::test(start_paused = true)]
async fn start_waits_for_an_unavailable_log() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    backplane.set_away(true);
    let manager = Manager::builder()
        .backplane(backplane.clone())
        .build()
        .unwrap();
    let start = tokio::time::Instant::now();
    assert!(!manager.started().await);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(manager.log_stats().unwrap().state, LogState::Starting);
    backplane.set_away(false);
    assert!(manager.started().await);
}

#[tokio::test(start_paused = true)]
async fn streams_stay_connected_while_backplane_unavailable() {
    let memory = MemoryBackplane::new(Retention::default());
    let backplane = ScriptedBackplane::new(memory.clone());
    let (manager, other) = (node(backplane.clone()).await, node(memory).await);
    let mut client = Client::greeted(&manager, Handshake::new());
    backplane.set_away(true);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(client.names(), ["degraded"]);
    assert_eq!(manager.log_stats().unwrap().state, LogState::Away);
    let error = manager.all().publish(Event::text("x")).await.unwrap_err();
    assert!(
        matches!(error, PublishError::Unavailable { .. }),
        "{error:?}"
    );
    publish_all(&other, ["from the other node"]).await;
    let mut late = Client::connect(&manager, Handshake::new());
    assert_eq!(late.names(), ["connection", "degraded"]);

    let mut beats = Vec::new();
    for _ in 0..4 {
        sleep(Duration::from_secs(30)).await;
        late.take();
        beats.extend(client.names());
    }
    assert!(
        !beats.is_empty() && beats.iter().all(|name| name == "heartbeat"),
        "{beats:?}"
    );

    backplane.set_away(false);
    sleep(Duration::from_secs(10)).await;
    for client in [&mut client, &mut late] {
        let events = client.take();
        let names: Vec<_> = events
            .iter()
            .map(name)
            .filter(|name| name != "heartbeat")
            .collect();
        assert_eq!(names, ["message", "restored"]);
    }
    assert_eq!(manager.log_stats().unwrap().state, LogState::Current);
}

#[tokio::test(start_paused = true)]
async fn patient_publish_waits_and_is_delivered_once() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let manager = node(backplane.clone()).await;
    let mut client = Client::greeted(&manager, Handshake::new());
    backplane.set_away(true);
    let publishing = tokio::spawn({
        let manager = manager.clone();
        async move {
            manager
                .all()
                .publish(Event::text("x").with_retry_for(Duration::from_secs(60)))
                .await
        }
    });
    sleep(Duration::from_secs(20)).await;
    // The entry is appended, but the response is lost.
    backplane.lose_answers(1);
    backplane.set_away(false);
    let receipt = publishing.await.unwrap().unwrap();
    assert_eq!((receipt.matched, receipt.duplicate), (1, false));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(data(&client.take()), ["x"]);
}

#[tokio::test(start_paused = true)]
async fn patient_publish_times_out_and_spool_is_bounded() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let manager = {
        let mut config = sse_core::Config::default();
        config.spool_bytes = 2000;
        let manager = Manager::builder()
            .config(config)
            .backplane(backplane.clone())
            .build()
            .unwrap();
        manager.follow();
        sleep(SOON).await;
        manager
    };
    backplane.set_away(true);
    let publish = |bytes: usize| {
        let manager = manager.clone();
        let event = Event::text("x".repeat(bytes)).with_retry_for(Duration::from_secs(30));
        tokio::spawn(async move {
            (
                manager.all().publish(event).await,
                tokio::time::Instant::now(),
            )
        })
    };
    let start = tokio::time::Instant::now();
    let (waits, too_much) = (publish(1200), publish(1200));
    let (error, at) = too_much.await.unwrap();
    assert!(
        matches!(error, Err(PublishError::Unavailable { .. }))
            && at - start < Duration::from_secs(1)
    );
    let (error, at) = waits.await.unwrap();
    assert!(matches!(error, Err(PublishError::Unavailable { .. })));
    assert!(
        (20..=30).contains(&(at - start).as_secs()),
        "{:?}",
        at - start
    );
}

#[tokio::test(start_paused = true)]
async fn retry_of_a_key_on_another_node_is_one_event() {
    let memory = MemoryBackplane::new(Retention::default());
    let backplane = ScriptedBackplane::new(memory.clone());
    let (one, two) = (node(backplane.clone()).await, node(memory).await);
    let mut client = Client::greeted(&two, Handshake::new());
    backplane.lose_answers(1);
    let publish = |node: &Manager| {
        let node = node.clone();
        async move {
            node.all()
                .publish(Event::text("once").with_idempotency_key("k"))
                .await
        }
    };
    assert!(matches!(
        publish(&one).await,
        Err(PublishError::Unavailable { .. })
    ));
    let receipt = publish(&two).await.unwrap();
    assert!(receipt.duplicate && receipt.id.is_some());
    sleep(SOON).await;
    assert_eq!(data(&client.take()), ["once"]);
}

#[tokio::test(start_paused = true)]
async fn replaced_log_is_a_gap_and_not_resumed() {
    let memory = MemoryBackplane::new(Retention::default());
    let manager = node(memory.clone()).await;
    let mut client = Client::connect(&manager, Handshake::new());
    publish_all(&manager, ["old"]).await;
    let had = client.take().last().unwrap().id.clone();
    memory.clear();
    sleep(Duration::from_secs(7)).await;
    publish_all(&manager, ["new"]).await;
    let events = client.take();
    assert_eq!(reasons(&events), ["epoch"]);
    assert_eq!(data(&events), ["new"]);
    let events = Client::connect(&manager, from(&had)).take();
    assert_eq!(
        (resumed(&events), reasons(&events)),
        (false, vec!["epoch".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn node_overtaken_by_trimming_reports_a_gap() {
    let memory = MemoryBackplane::new(Retention::default().entries(10));
    let backplane = ScriptedBackplane::new(memory.clone());
    let (manager, other) = (node(backplane.clone()).await, node(memory).await);
    let mut client = Client::greeted(&manager, Handshake::new());
    backplane.set_away(true);
    sleep(Duration::from_secs(2)).await;
    publish_all(&other, (0..50).map(|number| number.to_string())).await;
    backplane.set_away(false);
    sleep(Duration::from_secs(20)).await;
    let events = client.take();
    assert_eq!(reasons(&events), ["trimmed"]);
    let expected: Vec<_> = (40..50).map(|number| number.to_string()).collect();
    assert_eq!(data(&events), expected);
}

#[tokio::test(start_paused = true)]
async fn client_ahead_of_its_new_node_waits() {
    let memory = MemoryBackplane::new(Retention::default());
    let backplane = ScriptedBackplane::new(memory.clone());
    let (lagging, other) = (node(backplane.clone()).await, node(memory).await);
    let mut client = Client::connect(&other, Handshake::new());
    backplane.set_away(true);
    sleep(Duration::from_secs(2)).await;
    publish_all(&other, ["1", "2"]).await;
    let had = client.take().last().unwrap().id.clone();
    publish_all(&other, ["3"]).await;
    let mut moved = Client::connect(&lagging, from(&had));
    let events = moved.take();
    assert!(
        !resumed(&events),
        "whether the stream resumed is unknown yet"
    );
    sleep(Duration::from_secs(60)).await;
    let beats = moved.take();
    assert!(
        beats
            .iter()
            .all(|beat| beat.event_type == "heartbeat" && beat.id == had),
        "{beats:?}"
    );
    backplane.set_away(false);
    sleep(Duration::from_secs(10)).await;
    let events = moved.take();
    assert_eq!((data(&events), reasons(&events)), (vec!["3"], vec![]));
}

#[tokio::test(start_paused = true)]
async fn id_beyond_the_log_is_a_gap_after_a_bounds_check() {
    let manager = node(MemoryBackplane::new(Retention::default())).await;
    let head = manager.log_stats().unwrap().head;
    let mut client = Client::connect(&manager, from(&format!("{}-{}", head.epoch, 1_000_000)));
    let mut events = client.take();
    sleep(Duration::from_secs(5)).await;
    events.extend(client.take());
    assert_eq!(
        (resumed(&events), reasons(&events)),
        (false, vec!["future".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn unlogged_events_reach_other_nodes() {
    let backplane = MemoryBackplane::new(Retention::default());
    let (one, two) = (node(backplane.clone()).await, node(backplane).await);
    let (mut here, mut there) = (
        Client::greeted(&one, Handshake::new()),
        Client::greeted(&two, Handshake::new()),
    );
    let receipt = one
        .all()
        .publish(Event::text("now").ephemeral())
        .await
        .unwrap();
    assert_eq!((receipt.id, receipt.matched), (None, 1));
    one.client(there.id())
        .publish(Event::text("for one"))
        .await
        .unwrap();
    one.client(here.id())
        .publish(Event::text("for the other"))
        .await
        .unwrap();
    sleep(SOON).await;
    assert_eq!(here.data(), ["now", "for the other"]);
    assert_eq!(there.data(), ["now", "for one"]);
    assert_eq!(one.log_stats().unwrap().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn garbage_in_log_or_signals_is_harmless() {
    let backplane = MemoryBackplane::new(Retention::default());
    let manager = node(backplane.clone()).await;
    let mut client = Client::greeted(&manager, Handshake::new());
    for garbage in [&b""[..], b"\x01", b"\x02\x00", b"\xff\xff\xff", &[1; 64]] {
        let entry = sse_core::backplane::NewEntry {
            payload: garbage.to_vec().into(),
            key: None,
        };
        backplane.append(entry).await.unwrap();
        backplane.signal(garbage.to_vec().into()).await.unwrap();
    }
    publish_all(&manager, ["fine"]).await;
    sleep(SOON).await;
    let events = client.take();
    assert_eq!(data(&events), ["fine"]);
    // Each entry can have been for any stream, so every stream receives a gap.
    assert_eq!(reasons(&events), ["damaged"; 5]);
    let log = manager.log_stats().unwrap();
    assert_eq!(
        (log.unreadable, log.gaps.get("damaged"), log.damaged),
        (5, 5, 5)
    );
}

#[tokio::test(start_paused = true)]
async fn gap_of_a_replaced_log_names_that_log() {
    let backplane = MemoryBackplane::new(Retention::default());
    let builder = Manager::builder()
        .backplane(backplane.clone())
        .overflow(Overflow::DropOldest);
    let manager = builder.queue(4, 1 << 20).build().unwrap();
    manager.follow();
    sleep(Duration::from_secs(2)).await;
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["1", "2", "3", "4", "5", "6"]).await;
    let before = manager.log_stats().unwrap().head.epoch;
    backplane.clear();
    sleep(Duration::from_secs(2)).await;
    assert_ne!(manager.log_stats().unwrap().head.epoch, before);
    // The manager's own events about the log pushed out three more events.
    let events = client.take();
    assert_eq!(
        events.iter().map(name).collect::<Vec<_>>(),
        ["gap", "message", "degraded", "gap", "restored"]
    );
    assert_eq!(reasons(&events), ["overflow", "epoch"]);
    assert_eq!(json(&events[0])["data"]["to"], format!("{before}-5"));
    assert_eq!(events[0].id, format!("{before}-5"));
}

#[tokio::test(start_paused = true)]
async fn replaying_stream_gets_one_gap_for_another_log() {
    let backplane = MemoryBackplane::new(Retention::default());
    let manager = node(backplane.clone()).await;
    let mut client = Client::connect(&manager, Handshake::new());
    let had = client.take().last().unwrap().id.clone();
    drop(client);
    publish_all(&manager, ["1", "2"]).await;
    let mut client = Client::connect(&manager, from(&had));
    backplane.clear();
    sleep(Duration::from_secs(2)).await;
    publish_all(&manager, ["3"]).await;
    let events = client.take();
    assert_eq!(
        (reasons(&events), data(&events)),
        (vec!["epoch".to_owned()], vec!["3"])
    );
    let gap = events.iter().find(|event| name(event) == "gap").unwrap();
    assert_eq!(json(gap)["data"]["from"], had);
}

#[test]
fn another_runtime_follows_when_the_first_ends() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let backplane = MemoryBackplane::new(Retention::default());
    let (first, second) = (runtime(), runtime());
    let manager = first.block_on(node(backplane));
    drop(first);
    second.block_on(async {
        let mut client = Client::greeted(&manager, Handshake::new());
        publish_all(&manager, ["x"]).await;
        assert_eq!(client.data(), ["x"]);
    });
}

#[tokio::test(start_paused = true)]
async fn dropped_manager_leaves_nothing_running() {
    let backplane = Arc::new(());
    let watched = Arc::downgrade(&backplane);
    let memory =
        ScriptedBackplane::new(MemoryBackplane::new(Retention::default())).holding(backplane);
    let manager = node(memory).await;
    drop(manager);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(watched.strong_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn publishes_without_local_target_succeed() {
    let backplane = MemoryBackplane::new(Retention::default());
    let (one, two) = (node(backplane.clone()).await, node(backplane).await);
    let mut there = Client::greeted(&two, Handshake::new().topic("t"));
    let receipt = one.topic("t").publish(Event::text("x")).await.unwrap();
    assert_eq!(receipt.matched, 0);
    sleep(SOON).await;
    assert_eq!(there.data(), ["x"]);
    let gone = there.id();
    drop(there);
    let receipt = one
        .publish(Target::Client(gone), Event::text("x"))
        .await
        .unwrap();
    assert_eq!((receipt.matched, receipt.id), (0, None));
}

#[tokio::test(start_paused = true)]
async fn endless_retries_still_report_a_duplicate_key() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let manager = node(backplane.clone()).await;
    let publish = async || {
        let event = Event::text("x")
            .with_retry_for(Duration::MAX)
            .with_idempotency_key("k");
        manager.all().publish(event).await.unwrap()
    };
    assert!(!publish().await.duplicate);
    backplane.fail_appends(2);
    let again = publish().await;
    assert_eq!((again.duplicate, again.matched), (true, 0));
    assert_eq!(manager.log_stats().unwrap().duplicates, 1);
}

#[tokio::test(start_paused = true)]
async fn panicking_handler_receives_the_next_signal() {
    struct Panics(std::sync::atomic::AtomicU32);
    impl sse_core::backplane::SignalHandler for Panics {
        fn signalled(&self, _: bytes::Bytes) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            panic!("intentional panic of a handler");
        }
    }
    let manager = node(MemoryBackplane::new(Retention::default())).await;
    let handler = Arc::new(Panics(0.into()));
    manager.on_signal(handler.clone());
    sleep(SOON).await;
    for _ in 0..2 {
        manager.signal(b"x").await.unwrap();
        sleep(SOON).await;
    }
    assert_eq!(handler.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}
