//! What a quiet stream gets.

use std::time::Duration;

use sse_core::{HeartbeatForm, Manager};
use tokio::time::{Instant, sleep};

use crate::{
    Item,
    adapter::{
        Stage,
        app::{json, next},
    },
};

const INTERVAL: Duration = Duration::from_millis(400);

pub async fn a_quiet_stream_gets_a_heartbeat_after_the_interval(stage: Stage) {
    let app = stage.start(Manager::builder().heartbeat_interval(INTERVAL));
    let before = Instant::now();
    let mut client = app.open("/events").await;
    for beat in 1..=3 {
        let event = next(&mut client).await;
        assert_eq!(event.event_type, "heartbeat");
        assert!(json(&event)["timestamp"].is_u64(), "{event:?}");
        assert!(before.elapsed() >= INTERVAL * beat, "beat {beat} after {:?}", before.elapsed());
    }
    drop(client);
    app.finish().await;
}

pub async fn an_event_postpones_the_heartbeat(stage: Stage) {
    let app = stage.start(Manager::builder().heartbeat_interval(INTERVAL));
    let mut client = app.open("/events").await;
    let mut last = Instant::now();
    for _ in 0..8 {
        sleep(INTERVAL / 4).await;
        last = Instant::now();
        app.publish("x").await;
    }
    let mut early = 0;
    loop {
        let event = next(&mut client).await;
        if event.event_type == "heartbeat" && last.elapsed() >= INTERVAL {
            break;
        }
        // On a machine that is busy the pauses may be long enough for one.
        early += usize::from(event.event_type == "heartbeat");
    }
    assert!(early <= 2, "{early} heartbeats between events");
    drop(client);
    app.finish().await;
}

pub async fn a_heartbeat_may_be_a_comment(stage: Stage) {
    let builder = Manager::builder().heartbeat_interval(INTERVAL).heartbeat(HeartbeatForm::Comment);
    let app = stage.start(builder);
    let mut client = app.open("/events").await;
    let item = tokio::time::timeout(crate::adapter::app::PATIENCE, client.next_item()).await;
    let item = item.expect("a heartbeat").expect("a heartbeat");
    assert!(matches!(&item, Item::Comment(_)), "{item:?}");
    drop(client);
    app.finish().await;
}
