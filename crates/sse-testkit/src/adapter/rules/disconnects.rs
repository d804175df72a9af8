//! Clients that disconnect, and streams that are ended.

use std::time::Duration;

use sse_core::{
    DisconnectOptions, DisconnectReason, Event, Manager, Target, config::HeartbeatKind,
};

use crate::{
    adapter::{
        harness::Harness,
        running_app::{RunningApp, expect_end, expect_system, next_data},
    },
    client::RawClient,
};

const OFTEN: Duration = Duration::from_millis(200);
/// Long enough for a server on a busy machine to send a farewell.
const SOON: Duration = Duration::from_secs(2);

async fn expect_no_stream(app: &RunningApp) {
    assert_eq!(app.departures(1).await, [DisconnectReason::ClientLeft]);
    let stats = app.manager.stats();
    assert_eq!(
        (stats.total_connections, stats.unique_users, stats.ending),
        (0, 0, 0)
    );
    assert_eq!(stats.counters.disconnected.get("client_left"), 1);
}

pub async fn close_is_detected_immediately(harness: Harness) {
    // Without heartbeats, only the server can detect the close.
    let app = harness.start(Manager::builder().heartbeat(HeartbeatKind::Off));
    drop(app.open("/events?user=42&topics=news").await);
    expect_no_stream(&app).await;
    assert_eq!(app.publish("to nobody").await, 0);
    app.finish().await;
}

pub async fn reset_is_detected_immediately(harness: Harness) {
    let app = harness.start(Manager::builder().heartbeat(HeartbeatKind::Off));
    app.open("/events?user=42").await.reset().expect("a reset");
    expect_no_stream(&app).await;
    app.finish().await;
}

pub async fn half_close_is_detected(harness: Harness) {
    let app = harness.start(Manager::builder().heartbeat_interval(OFTEN));
    let mut client = app.open("/events?user=42").await;
    client.half_close().await.expect("a FIN");
    app.until("the disconnect", |manager| {
        manager.stats().total_connections == 0
    })
    .await;
    drop(client);
    expect_no_stream(&app).await;
    app.finish().await;
}

/// A server with unread bytes does not notice an end of the connection that follows them.
pub async fn heartbeat_reveals_disconnect_after_pipelined_byte(harness: Harness) {
    let app = harness.start(Manager::builder().heartbeat_interval(OFTEN));
    let mut client = app.open("/events?user=42").await;
    client.send(b"G").await.expect("a byte");
    client.reset().expect("a reset");
    expect_no_stream(&app).await;
    app.finish().await;
}

pub async fn a_second_stream_of_a_user_outlives_the_first(harness: Harness) {
    let app = harness.start(Manager::builder());
    let first = app.open("/events?user=42").await;
    let mut second = app.open("/events?user=42").await;
    drop(first);
    app.departures(1).await;
    let receipt = app
        .manager
        .user("42")
        .publish(Event::text("still"))
        .await
        .expect("a publish");
    assert_eq!(receipt.matched, 1);
    assert_eq!(next_data(&mut second).await, "still");
    drop(second);
    app.finish().await;
}

pub async fn ended_stream_sends_its_reason_and_ends_cleanly(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = app.open("/events?user=42").await;
    app.publish("before").await;
    app.manager
        .disconnect(
            Target::All,
            DisconnectOptions::new().with_reason("maintenance"),
        )
        .await;
    assert_eq!(next_data(&mut client).await, "before");
    let data = expect_system(&mut client, "disconnected").await;
    assert_eq!(
        (&data["reason"], &data["reconnect"]),
        (&"maintenance".into(), &true.into())
    );
    expect_end(&mut client).await;
    assert_eq!(app.departures(1).await, [DisconnectReason::Kicked]);
    app.finish().await;
}

pub async fn a_connection_has_one_stream_after_the_other(harness: Harness) {
    let app = harness.start(Manager::builder().connection_timeout(SOON));
    // One connection for both; the second request is sent in advance.
    let ask = "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut client = app.greeted(app.get("/events").body(ask)).await;
    app.live(1).await;
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    expect_system(&mut client, "disconnected").await;
    expect_end(&mut client).await;
    app.until("a second stream", |manager| {
        manager.stats().counters.connected == 2
    })
    .await;
    // Longer than the connection would have had to send the rest of the first stream.
    tokio::time::sleep(SOON * 5 / 4).await;
    app.live(1).await;
    drop(client);
    app.departures(2).await;
    app.finish().await;
}

pub async fn reconnecting_clients_leave_nothing(harness: Harness) {
    const CYCLES: usize = 400;
    let app = harness.start(Manager::builder().heartbeat_interval(OFTEN));
    let mut read = 0;
    for round in 0..CYCLES {
        let request = app.get("/events?user=42&topics=a,b");
        let client: RawClient = match round % 4 {
            0 | 1 => request.send().await.expect("a request"),
            2 => request.open().await.expect("an answer"),
            _ => app.greeted(request).await,
        };
        read += usize::from(round % 4 > 1);
        if round % 2 == 0 {
            client.reset().expect("a reset");
        }
    }
    app.until("all disconnects", |manager| {
        let stats = manager.stats();
        let disconnected = stats.counters.disconnected.get("client_left");
        stats.total_connections == 0
            && disconnected == stats.counters.connected
            && disconnected >= read as u64
    })
    .await;
    app.finish().await;
}
