//! Heartbeats, in paused time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use sse_core::{
    Event, EventType, Handshake, Manager, Session, config::HeartbeatKind, dialect::Heartbeat,
};
use sse_testkit::Decoder;
use tokio::time::{Instant, sleep};

use crate::support::{Client, json, publish_all};

const INTERVAL: Duration = Duration::from_secs(30);

/// Returns everything that arrives on a stream until its end, with the time of each arrival.
async fn arrivals(mut session: Session) -> Vec<(Instant, Bytes)> {
    let mut arrived = Vec::new();
    while let Some(buffer) = session.next().await {
        arrived.push((Instant::now(), buffer));
    }
    arrived
}

fn in_time(pause: Duration, interval: Duration) -> bool {
    pause >= interval && pause <= interval * 5 / 4
}

#[tokio::test(start_paused = true)]
async fn quiet_streams_get_shared_heartbeats_spread_in_time() {
    let manager = Manager::builder().build().unwrap();
    let mut streams = Vec::new();
    for number in 0..1000 {
        if number % 100 == 0 {
            sleep(Duration::from_millis(1234)).await;
        }
        streams.push(tokio::spawn(arrivals(
            manager.connect(Handshake::new()).unwrap(),
        )));
    }
    sleep(INTERVAL * 10).await;
    manager.shutdown(sse_core::ShutdownOptions::default()).await;

    let (mut first_beats, mut ticks) = (BTreeSet::new(), BTreeMap::new());
    for stream in streams {
        let arrived = stream.await.unwrap();
        let beats = &arrived[1..arrived.len() - 1];
        assert!((8..=10).contains(&beats.len()), "{}", beats.len());
        for pair in arrived[..arrived.len() - 1].windows(2) {
            let pause = pair[1].0 - pair[0].0;
            assert!(in_time(pause, INTERVAL), "{pause:?}");
        }
        first_beats.insert(beats[0].0);
        for (at, beat) in beats {
            let event = &Decoder::decode(beat)[0];
            assert_eq!(event.event_type, "heartbeat");
            assert!(json(event)["timestamp"].is_u64());
            assert_eq!(event.id, "", "no position without a log");
            assert_eq!(
                *ticks.entry(*at).or_insert(beat.as_ptr()),
                beat.as_ptr(),
                "each tick shares one frame"
            );
        }
    }
    assert!(
        first_beats.len() >= 8,
        "spread over ticks: {}",
        first_beats.len()
    );
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_on_time_at_any_interval() {
    for interval in [100, 999, 5000, 24 * 60 * 60 * 1000].map(Duration::from_millis) {
        // Timers run at the pace of the shortest setting. A day in steps of a minute's heartbeat
        // would take long even in paused time.
        let manager = Manager::builder()
            .heartbeat_interval(interval)
            .connection_timeout(interval);
        let manager = manager.build().unwrap();
        for pause in [0, 3, 17] {
            sleep(Duration::from_millis(pause)).await;
            let mut session = manager.connect(Handshake::new()).unwrap();
            let mut last = Instant::now();
            session.next().await;
            assert_eq!(last, Instant::now(), "the first block is available at once");
            for _ in 0..4 {
                session.next().await;
                let pause = last.elapsed();
                assert!(in_time(pause, interval), "{pause:?} at {interval:?}");
                last = Instant::now();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_postpones_heartbeats() {
    let manager = Manager::builder().build().unwrap();
    let stream = tokio::spawn(arrivals(manager.connect(Handshake::new()).unwrap()));
    for _ in 0..30 {
        publish_all(&manager, ["x"]).await;
        sleep(INTERVAL - Duration::from_secs(1)).await;
    }
    sleep(INTERVAL / 2).await;
    manager.shutdown(sse_core::ShutdownOptions::default()).await;
    let arrived = stream.await.unwrap();
    let kinds: Vec<_> = arrived
        .iter()
        .map(|(_, buffer)| Decoder::decode(buffer)[0].event_type.clone())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "message").count(), 30);
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "heartbeat").count(),
        1,
        "at the end, when it was quiet"
    );
    let beat = kinds.iter().position(|kind| kind == "heartbeat").unwrap();
    assert!(in_time(arrived[beat].0 - arrived[beat - 1].0, INTERVAL));
}

#[tokio::test(start_paused = true)]
async fn no_heartbeat_while_one_or_an_event_waits() {
    let manager = Manager::builder()
        .connection_timeout(INTERVAL * 1000)
        .build()
        .unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["waits"]).await;
    sleep(INTERVAL * 10).await;
    assert_eq!(client.names(), ["message"]);
    sleep(INTERVAL * 10).await;
    assert_eq!(
        client.names(),
        ["heartbeat"],
        "one heartbeat waits, and no second follows"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_heartbeat_takes_no_queue_space() {
    let text = "x".repeat(1024 - "data: \n\n".len());
    let manager = Manager::builder().queue(1, 1024).build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    sleep(INTERVAL * 5 / 4).await;
    publish_all(&manager, [&text]).await;
    assert_eq!(client.names().last().unwrap(), "message");
    assert!(!client.over, "a heartbeat takes no space in the queue");
    assert_eq!(manager.stats().counters.dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_can_be_comments() {
    let manager = Manager::builder()
        .heartbeat(HeartbeatKind::Comment)
        .build()
        .unwrap();
    let mut session = manager.connect(Handshake::new()).unwrap();
    session.next().await;
    assert_eq!(session.next().await.unwrap(), ": heartbeat\n");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_can_be_disabled() {
    let manager = Manager::builder()
        .heartbeat(HeartbeatKind::Off)
        .build()
        .unwrap();
    let mut client = Client::connect(&manager, Handshake::new());
    assert!(json(&client.take()[0])["heartbeatMs"].is_null());
    sleep(INTERVAL * 100).await;
    assert!(client.take().is_empty());
    assert_eq!(manager.stats().counters.heartbeats, 0);
}

struct Counting(Arc<AtomicU32>);

impl Heartbeat for Counting {
    fn beat(&self) -> Event {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Event::text(number.to_string()).with_event_type(EventType::from_static("pulse"))
    }
}

#[tokio::test(start_paused = true)]
async fn custom_heartbeat_is_sent() {
    let count = Arc::new(AtomicU32::new(0));
    let manager = Manager::builder()
        .custom_heartbeat(Counting(Arc::clone(&count)))
        .build()
        .unwrap();
    let mut session = manager.connect(Handshake::new()).unwrap();
    session.next().await;
    let beat = &Decoder::decode(&session.next().await.unwrap())[0];
    assert_eq!(beat.event_type, "pulse");
    assert_eq!(manager.stats().counters.heartbeats, 1);
    // One heartbeat is created for each tick, so the number on the wire is the number of the tick.
    assert!(beat.data.parse::<u32>().unwrap() < count.load(Ordering::Relaxed));
}
