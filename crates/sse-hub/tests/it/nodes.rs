//! Hubs with an external event log: on a broker that several hubs share, or on disk.

use std::time::Duration;

use serde_json::{Value, json};
use sse_testkit::{Error, RawClient, Signal, request};

use crate::{
    brokers::{Broker, Kind},
    hub::{Hub, TIMEOUT, command, refusal, until},
    resume::{before_fence, data, numbers, resumed},
};

async fn node(url: &str) -> Hub {
    let hub = Hub::start(&["--backplane", url, "--heartbeat-interval", "1s"]).await;
    becomes(&hub, 200).await;
    hub
}

/// Waits until `/health/ready` responds with this status.
pub(crate) async fn becomes(hub: &Hub, status: u16) {
    until(async || hub.request("GET", "/health/ready").await.status == status).await;
    assert_eq!(hub.request("GET", "/health/live").await.status, 200);
}

/// Waits for a system event. Returns the numbers that came before the event.
pub(crate) async fn expect_system(stream: &mut RawClient, name: &str) -> Vec<u64> {
    let mut events = Vec::new();
    loop {
        let event = stream.next_event_within(TIMEOUT).await.unwrap();
        if event.event_type == "system" && data(&event)["event"] == name {
            return numbers(&events);
        }
        events.push(event);
    }
}

async fn one_log_for_all(kind: Kind) {
    let Some(broker) = Broker::started(kind).await else {
        return;
    };
    let (one, two) = (node(&broker.url()).await, node(&broker.url()).await);
    let query = "user=ada&topics=news";
    let mut stream = one.stream(query).await;
    let mut other = two.stream(query).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let hub = [&one, &two][number % 2];
        let target = [
            json!("all"),
            json!({ "user": "ada" }),
            json!({ "topic": "news" }),
        ][number % 3]
            .clone();
        ids.push(hub.number(target, number).await);
        hub.number(json!({ "user": "ben" }), 1000 + number).await;
    }
    two.fence().await;
    let (here, there) = (
        before_fence(&mut stream).await,
        before_fence(&mut other).await,
    );
    assert_eq!(
        here, there,
        "the same events with the same ids, in the same order"
    );
    assert_eq!(numbers(&here), (0..20).collect::<Vec<_>>());
    assert_eq!(
        here.iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>(),
        ids
    );

    // Unlogged events, and events for one stream, also reach the other node.
    let (mut stream, hello) = one.greeted("user=cy").await;
    let input = |target: Value, data: u64| json!({ "target": target, "event": "number", "data": data, "ephemeral": true });
    // The event is not kept, so it is lost until the nodes receive one another's signals.
    loop {
        two.send("publish", input(json!({ "user": "cy" }), 1)).await;
        match stream.next_event_within(Duration::from_secs(2)).await {
            Ok(event) if event.event_type == "number" => break assert_eq!(event.data, "1"),
            Ok(_) | Err(Error::Timeout(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    two.send("publish", input(json!({ "client": hello["clientId"] }), 2))
        .await;
    while stream.next_event_within(TIMEOUT).await.unwrap().data != "2" {}

    // A client of the first node returns to the second, and to a node that starts now.
    let had = &ids[4];
    for hub in [&two, &node(&broker.url()).await] {
        let (mut stream, hello) = hub.back(query, &[], had).await;
        assert!(resumed(&hello));
        one.fence().await;
        let mut events = Vec::new();
        while events.len() < 15 {
            let event = stream.next_event_within(TIMEOUT).await.unwrap();
            events.extend(Some(event).filter(|event| event.event_type == "number"));
        }
        assert_eq!(numbers(&events), (5..20).collect::<Vec<_>>());
        before_fence(&mut stream).await;
    }
}

#[tokio::test]
async fn hubs_on_one_redis_have_one_log() {
    one_log_for_all(Kind::Redis).await;
}

#[tokio::test]
async fn hubs_on_one_nats_have_one_log() {
    one_log_for_all(Kind::Nats).await;
}

async fn a_broker_that_dies_and_comes_back(kind: Kind) {
    let Some(mut broker) = Broker::started(kind).await else {
        return;
    };
    let (one, two) = (node(&broker.url()).await, node(&broker.url()).await);
    let (mut here, mut there) = (one.stream("user=ada").await, two.stream("user=ada").await);
    one.number(json!("all"), 0).await;
    broker.kill().await;
    let mut came = Vec::new();
    for stream in [&mut here, &mut there] {
        came.push(expect_system(stream, "degraded").await);
    }
    for hub in [&one, &two] {
        becomes(hub, 503).await;
    }
    // A publish succeeds only if the event was published.
    let input = json!({ "target": "all", "event": "number", "data": 1 }).to_string();
    let headers = [("content-type", "application/json")];
    let answer = request(
        one.address(),
        "POST",
        "/api/trpc/sse.publish",
        &headers,
        &input,
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 503, "{:?}", answer.text());
    assert!(
        answer
            .headers
            .get("retry-after")
            .is_some_and(|seconds| seconds.parse::<u64>().unwrap() > 0)
    );
    // A new stream is still accepted, and receives the state of the log.
    let mut late = two.stream("user=ada").await;
    expect_system(&mut late, "degraded").await;

    broker.start().await;
    for hub in [&one, &two] {
        becomes(hub, 200).await;
    }
    let input =
        json!({ "target": "all", "event": "number", "data": 2, "key": "k", "retryForMs": 30_000 });
    for (hub, is_there) in [(&one, Value::Null), (&two, json!(true))] {
        let (status, answer) = hub.post("publish", &input.to_string()).await;
        assert_eq!(
            (status, &answer["result"]["data"]["duplicate"]),
            (200, &is_there),
            "{answer}"
        );
    }
    one.fence().await;
    for (stream, before) in [(&mut here, &came[0]), (&mut there, &came[1])] {
        let during_outage = expect_system(stream, "restored").await;
        let after = numbers(&before_fence(stream).await);
        let all = [&before[..], &during_outage, &after].concat();
        // Number 1 is uncertain: its publish failed, but can still have been logged.
        let known: Vec<_> = all.iter().copied().filter(|number| *number != 1).collect();
        assert_eq!(known, [0, 2], "{before:?} {during_outage:?} {after:?}");
    }
}

#[tokio::test]
async fn redis_recovers_after_a_crash() {
    a_broker_that_dies_and_comes_back(Kind::Redis).await;
}

#[tokio::test]
async fn nats_recovers_after_a_crash() {
    a_broker_that_dies_and_comes_back(Kind::Nats).await;
}

async fn a_broker_that_is_late(kind: Kind) {
    let Some(mut broker) = Broker::new(kind, &[]) else {
        return;
    };
    let hub = Hub::start(&["--backplane", &broker.url()]).await;
    becomes(&hub, 503).await;
    assert!(
        hub.0.output().contains("failed to reach the event log"),
        "{}",
        hub.0.output()
    );
    let answer = hub.request("GET", "/api/sse?user=ada").await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.get("retry-after").is_some(), "{answer:?}");
    broker.start().await;
    becomes(&hub, 200).await;
    let mut stream = hub.stream("user=ada").await;
    hub.number(json!("all"), 1).await;
    assert_eq!(stream.next_event_within(TIMEOUT).await.unwrap().data, "1");
}

#[tokio::test]
async fn redis_starts_after_the_hub() {
    a_broker_that_is_late(Kind::Redis).await;
}

#[tokio::test]
async fn nats_starts_after_the_hub() {
    a_broker_that_is_late(Kind::Nats).await;
}

#[tokio::test]
async fn rejecting_broker_ends_the_start() {
    for (kind, options) in [
        (Kind::Redis, &["--requirepass", "right"][..]),
        (Kind::Nats, &["--user", "me", "--pass", "right"]),
    ] {
        let Some(mut broker) = Broker::new(kind, options) else {
            continue;
        };
        broker.start().await;
        let user = if kind == Kind::Redis { "" } else { "me" };
        let mut wrong = command();
        wrong.env(
            "SSE_HUB_BACKPLANE",
            broker.url_as(&format!("{user}:hunter2@")),
        );
        let text = refusal(wrong).await;
        assert!(
            text.contains("(exit status: 2)") && text.contains("SSE_HUB_BACKPLANE"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, broker.url_as(&format!("{user}:right@")) + "\n").unwrap();
        let hub = Hub::start(&[
            "--backplane-file",
            file.path().to_str().unwrap(),
            "--log",
            "debug",
        ])
        .await;
        becomes(&hub, 200).await;
        assert!(!hub.0.output().contains("right@"), "{}", hub.0.output());
    }
}

#[tokio::test]
async fn hubs_with_different_prefixes_share_nothing() {
    let Some(broker) = Broker::started(Kind::Redis).await else {
        return;
    };
    let url = broker.url();
    let start = async |prefix| {
        let hub = Hub::start(&["--backplane", &url, "--backplane-prefix", prefix]).await;
        becomes(&hub, 200).await;
        hub
    };
    let (shop, forum) = (start("shop").await, start("forum").await);
    let mut stream = forum.stream("user=ada").await;
    shop.number(json!("all"), 1).await;
    forum.number(json!("all"), 2).await;
    assert_eq!(stream.next_event_within(TIMEOUT).await.unwrap().data, "2");
    let mut bad = command();
    bad.args(["--backplane", &url, "--backplane-prefix", "a b"]);
    let text = refusal(bad).await;
    assert!(
        text.contains("(exit status: 2)") && text.contains("--backplane"),
        "{text}"
    );
}

#[tokio::test]
async fn a_log_on_disk_survives_its_hub() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("events").display());
    let mut hub = node(&url).await;
    let mut stream = hub.open("user=ada").await;
    let hello = stream.next_event_within(TIMEOUT).await.unwrap();
    let mut ids = Vec::new();
    for (signal, numbers_of) in [(Signal::Kill, 0..50), (Signal::Terminate, 50..100)] {
        for number in numbers_of {
            ids.push(hub.number(json!({ "user": "ada" }), number).await);
        }
        hub.0.signal(signal).unwrap();
        hub.0.wait_exit(TIMEOUT).await.unwrap();
        hub = node(&url).await;
    }
    let (mut stream, back) = hub.back("user=ada", &[], &hello.id).await;
    assert!(resumed(&back));
    hub.fence().await;
    let events = before_fence(&mut stream).await;
    assert_eq!(numbers(&events), (0..100).collect::<Vec<_>>());
    assert_eq!(
        events
            .iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>(),
        ids
    );
}

#[tokio::test]
async fn a_log_on_disk_is_for_one_hub() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().display());
    let _hub = node(&url).await;
    let mut second = command();
    second.args(["--backplane", &url]);
    let text = refusal(second).await;
    assert!(
        text.contains("(exit status: 1)") && text.contains("in use"),
        "{text}"
    );
    let mut wrong = command();
    wrong.args(["--backplane", "file:/dev/null/events"]);
    let text = refusal(wrong).await;
    assert!(
        text.contains("(exit status: 1)") && text.contains("--backplane"),
        "{text}"
    );
}
