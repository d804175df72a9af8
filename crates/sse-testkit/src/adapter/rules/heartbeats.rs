//! Heartbeats of quiet streams.

use std::time::Duration;

use sse_core::{Manager, config::HeartbeatKind};
use tokio::time::{Instant, sleep};

use crate::{
    adapter::{
        harness::Harness,
        running_app::{json, next},
    },
    decoder::Item,
};

const INTERVAL: Duration = Duration::from_millis(400);

/// A manager counts in whole milliseconds, so an interval may be shorter by a fraction of a
/// millisecond.
const LEAST: Duration = INTERVAL.saturating_sub(Duration::from_millis(1));

pub async fn a_quiet_stream_gets_a_heartbeat_after_the_interval(harness: Harness) {
    let app = harness.start(Manager::builder().heartbeat_interval(INTERVAL));
    let before = Instant::now();
    let mut client = app.open("/events").await;
    for beat in 1..=3 {
        let event = next(&mut client).await;
        assert_eq!(event.event_type, "heartbeat");
        assert!(json(&event)["timestamp"].is_u64(), "{event:?}");
        assert!(
            before.elapsed() >= LEAST * beat,
            "beat {beat} after {:?}",
            before.elapsed()
        );
    }
    drop(client);
    app.finish().await;
}

pub async fn an_event_postpones_the_heartbeat(harness: Harness) {
    const EVENTS: usize = 12;
    let app = harness.start(Manager::builder().heartbeat_interval(INTERVAL));
    let mut last = Instant::now();
    let mut client = app.open("/events").await;
    // From before an event, or the stream, to after the next event. On a busy machine some pauses
    // are long enough for a heartbeat.
    let mut pauses = Vec::new();
    for _ in 0..EVENTS {
        sleep(INTERVAL / 4).await;
        let before = Instant::now();
        app.publish("x").await;
        pauses.push(last.elapsed());
        last = before;
    }
    for pause in pauses {
        while next(&mut client).await.event_type == "heartbeat" {
            assert!(pause >= LEAST, "a heartbeat {pause:?} after an event");
        }
    }
    assert_eq!(
        next(&mut client).await.event_type,
        "heartbeat",
        "when it is quiet"
    );
    assert!(
        last.elapsed() >= LEAST,
        "a heartbeat {:?} after the last event",
        last.elapsed()
    );
    drop(client);
    app.finish().await;
}

pub async fn a_heartbeat_may_be_a_comment(harness: Harness) {
    let builder = Manager::builder()
        .heartbeat_interval(INTERVAL)
        .heartbeat(HeartbeatKind::Comment);
    let app = harness.start(builder);
    let mut client = app.open("/events").await;
    let item = tokio::time::timeout(crate::adapter::running_app::TIMEOUT, client.next_item()).await;
    let item = item.expect("a heartbeat").expect("a heartbeat");
    assert!(matches!(&item, Item::Comment(_)), "{item:?}");
    drop(client);
    app.finish().await;
}
