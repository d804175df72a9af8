//! Clients that go.

use std::time::Duration;

use sse_core::{Manager, Reason};

use crate::app::App;

#[tokio::test]
async fn a_closed_client_is_gone() {
    let app = App::start(Manager::builder()).await;
    let client = app.open("/api/sse?user=42").await;
    drop(client);
    assert_eq!(app.departures(1).await, [Reason::ClientLeft]);
    let stats = app.manager.stats();
    assert_eq!((stats.total_connections, stats.unique_users, stats.ending), (0, 0, 0));
}

#[tokio::test]
async fn a_reset_client_is_gone() {
    let app = App::start(Manager::builder()).await;
    app.open("/api/sse?user=42").await.reset().unwrap();
    assert_eq!(app.departures(1).await, [Reason::ClientLeft]);
}

/// hyper does not look for the end of a connection while it holds unread bytes: the next heartbeat finds it.
#[tokio::test]
async fn a_pipelined_byte_hides_a_disconnect_until_a_heartbeat_at_most() {
    let app = App::start(Manager::builder().heartbeat_interval(Duration::from_millis(200))).await;
    let mut client = app.open("/api/sse?user=42").await;
    client.send(b"G").await.unwrap();
    client.reset().unwrap();
    assert_eq!(app.departures(1).await, [Reason::ClientLeft]);
}

#[tokio::test]
async fn a_second_stream_of_a_user_outlives_the_first() {
    let app = App::start(Manager::builder()).await;
    let first = app.open("/api/sse?user=42").await;
    let _second = app.open("/api/sse?user=42").await;
    drop(first);
    app.departures(1).await;
    assert_eq!(app.manager.user("42").publish(sse_core::Event::text("x")).await.unwrap().matched, 1);
}
