//! The end of a server.

use std::{collections::BTreeSet, time::Duration};

use sse_core::{Manager, ShutdownOptions};

use crate::adapter::{
    harness::Harness,
    running_app::{expect_end, expect_system, next_data},
};

pub async fn shutdown_ends_streams_with_a_farewell(harness: Harness) {
    const STREAMS: usize = 300;
    // A server that waits for its streams would wait for an hour.
    let mut app = harness.start_with(
        Manager::builder(),
        ShutdownOptions::within(Duration::from_secs(3600)),
    );
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        clients.push(app.open("/events").await);
    }
    app.publish("last words").await;
    app.stop();
    let mut retries = BTreeSet::new();
    for client in &mut clients {
        assert_eq!(next_data(client).await, "last words");
        expect_system(client, "shutdown").await;
        expect_end(client).await;
        let retry = client.decoder().retry().expect("when to return");
        assert!((1000..=10_000).contains(&retry), "{retry}");
        retries.insert(retry);
    }
    assert!(
        retries.len() > STREAMS / 2,
        "clients return one by one: {}",
        retries.len()
    );
    app.finish().await;
}

pub async fn a_shutdown_is_announced_before_it_begins(harness: Harness) {
    let drain =
        ShutdownOptions::within(Duration::from_secs(3600)).with_delay(Duration::from_secs(3));
    let mut app = harness.start_with(Manager::builder(), drain);
    let mut old = app.open("/events").await;
    app.stop();
    app.until("shutting down", Manager::is_shutting_down).await;
    assert_eq!(app.ask("GET", "/ping", &[], "").await.body, b"pong");
    let mut new = app.open("/events").await;
    app.publish("served on").await;
    for client in [&mut old, &mut new] {
        assert_eq!(next_data(client).await, "served on");
        expect_system(client, "shutdown").await;
        expect_end(client).await;
    }
    app.finish().await;
}

pub async fn stalled_client_ends_at_the_deadline(harness: Harness) {
    let builder = Manager::builder().queue(1 << 16, 1 << 30);
    let mut app = harness.start_narrow(builder, ShutdownOptions::within(Duration::from_secs(1)));
    let slow = app.greeted(app.get("/events").receive_buffer(4096)).await;
    for _ in 0..100 {
        app.publish(&"x".repeat(64 << 10)).await;
    }
    app.stop();
    app.finish().await;
    drop(slow);
}

pub async fn idle_connections_do_not_delay_shutdown(harness: Harness) {
    let mut app = harness.start_with(
        Manager::builder(),
        ShutdownOptions::within(Duration::from_secs(1)),
    );
    let half = app.get("/ping").body("GET /ping HTTP/1.1\r\nhost: local");
    let mut half = half
        .send()
        .await
        .expect("half a request after a complete one");
    assert_eq!(half.head().await.expect("an answer").status, 200);
    let mut idle = app.get("/ping").send().await.expect("a request");
    assert_eq!(idle.head().await.expect("an answer").status, 200);
    let silent = tokio::net::TcpStream::connect(app.address)
        .await
        .expect("a connection");
    app.stop();
    let address = app.address;
    app.finish().await;
    tokio::net::TcpStream::connect(address)
        .await
        .expect_err("a closed listener");
    drop((half, idle, silent));
}

pub async fn stream_requested_during_shutdown_is_refused(harness: Harness) {
    // The manager alone shuts down; the server still answers.
    let app = harness.start(Manager::builder());
    let mut stays = app.open("/events").await;
    let drained = app.manager.shutdown(ShutdownOptions::default()).await;
    assert_eq!((drained.ended, drained.left), (1, 0));
    expect_system(&mut stays, "shutdown").await;
    expect_end(&mut stays).await;
    assert_eq!(app.ask("GET", "/events", &[], "").await.status, 503);
    app.finish().await;
}
