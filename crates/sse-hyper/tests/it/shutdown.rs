//! The end of a server.

use std::time::Duration;

use sse_core::{DisconnectReason, Manager, ShutdownOptions};
use sse_testkit::{RawClient, RawRequest, request};

use crate::{
    app::{App, TIMEOUT},
    connection::Connection,
};

const FOREVER: Duration = Duration::from_secs(3600);

async fn app(drain: ShutdownOptions) -> App {
    App::start_with(Manager::builder(), |serve| serve.shutdown_options(drain)).await
}

async fn expect_farewell(client: &mut RawClient) {
    let farewell = client.next_event_within(TIMEOUT).await.unwrap();
    assert_eq!(farewell.event_type, "system");
    assert!(
        farewell.data.starts_with(r#"{"event":"shutdown""#),
        "{}",
        farewell.data
    );
    client.expect_end().await.unwrap();
}

#[tokio::test]
async fn response_in_flight_is_finished() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let mut stream = app.open("/events").await;
    let mut slow = RawRequest::get(app.address, "/slow").send().await.unwrap();
    app.request_arrived().await;
    app.stop();
    expect_farewell(&mut stream).await;
    app.site.gate.add_permits(1);
    let head = tokio::time::timeout(TIMEOUT, slow.head())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (head.status, head.headers.get("connection")),
        (200, Some("close"))
    );
    assert_eq!(slow.next_bytes().await.unwrap().unwrap(), b"done");
    slow.expect_close().await.unwrap();
    app.stopped().await;
}

#[tokio::test]
async fn missing_response_is_aborted_at_the_deadline() {
    let mut app = app(ShutdownOptions::within(Duration::from_millis(300))).await;
    let mut slow = RawRequest::get(app.address, "/slow").send().await.unwrap();
    app.request_arrived().await;
    app.stop();
    tokio::time::timeout(TIMEOUT, slow.head())
        .await
        .unwrap()
        .unwrap_err();
    app.until(|app| app.connections() == 0).await;
    app.stopped().await;
}

#[tokio::test]
async fn the_streams_of_all_managers_end() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let mut clients = [app.open("/events").await, app.open("/others").await];
    app.stop();
    for client in &mut clients {
        expect_farewell(client).await;
    }
    assert!(app.site.managers.iter().all(Manager::rejects_streams));
    assert_eq!(app.departures(2).await, [DisconnectReason::Shutdown; 2]);
    app.stopped().await;
}

#[tokio::test]
async fn late_stream_request_is_refused() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let late = RawRequest::get(app.address, "/late").header("Accept", "*/*");
    let mut late = late.send().await.unwrap();
    app.request_arrived().await;
    app.stop();
    app.until(|app| app.manager.rejects_streams()).await;
    app.site.gate.add_permits(1);
    let head = tokio::time::timeout(TIMEOUT, late.head())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head.status, 503);
    assert!(head.headers.get("retry-after").is_some());
    app.stopped().await;
}

#[tokio::test]
async fn new_requests_are_answered_until_drained() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let mut slow = RawRequest::get(app.address, "/slow").send().await.unwrap();
    app.request_arrived().await;
    app.stop();
    app.until(|app| app.manager.rejects_streams()).await;
    let mut kept = Connection::open(app.address).await;
    for _ in 0..3 {
        kept.get("/ping").await;
        kept.head().await;
        assert_eq!(kept.exactly(4).await, b"pong");
        assert_eq!(
            request(app.address, "GET", "/events", &[], "")
                .await
                .unwrap()
                .status,
            503
        );
        let mut event_source = RawRequest::get(app.address, "/events")
            .open()
            .await
            .unwrap();
        assert_eq!(event_source.head().await.unwrap().status, 200);
        event_source.expect_end().await.unwrap();
    }
    let silent = Connection::open(app.address).await;
    let mut half = Connection::open(app.address).await;
    half.send("GET /ping HTTP/1.1\r\n").await;
    app.site.gate.add_permits(1);
    assert_eq!(
        tokio::time::timeout(TIMEOUT, slow.head())
            .await
            .unwrap()
            .unwrap()
            .status,
        200
    );
    // Clients without a request do not delay the shutdown.
    let address = app.address;
    app.stopped().await;
    for connection in [kept, silent] {
        assert_eq!(connection.rest().await, b"");
    }
    drop(half);
    request(address, "GET", "/ping", &[], "").await.unwrap_err();
}

#[tokio::test]
async fn idle_connections_are_closed_immediately() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let silent = Connection::open(app.address).await;
    let mut kept = Connection::open(app.address).await;
    kept.get("/ping").await;
    kept.head().await;
    kept.exactly(4).await;
    app.until(|app| app.connections() == 2).await;
    app.stop();
    for connection in [silent, kept] {
        assert_eq!(connection.rest().await, b"");
    }
    let address = app.address;
    app.stopped().await;
    request(address, "GET", "/ping", &[], "").await.unwrap_err();
}

#[tokio::test]
async fn half_a_head_does_not_outlive_the_deadline() {
    let mut app = app(ShutdownOptions::within(Duration::from_millis(300))).await;
    let mut half = Connection::open(app.address).await;
    half.send("GET /ping HTTP/1.1\r\nhost: local").await;
    app.until(|app| app.connections() == 1).await;
    app.stop();
    app.stopped().await;
}

#[tokio::test]
async fn second_request_is_not_answered_during_shutdown() {
    let mut app = app(ShutdownOptions::within(FOREVER)).await;
    let mut connection = Connection::open(app.address).await;
    let (slow, ping) = (
        "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /ping HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    connection.send(&format!("{slow}{ping}")).await;
    app.request_arrived().await;
    app.stop();
    app.until(|app| app.manager.rejects_streams()).await;
    app.site.gate.add_permits(1);
    assert!(
        connection
            .head()
            .await
            .to_lowercase()
            .contains("connection: close\r\n")
    );
    assert_eq!(connection.exactly(4).await, b"done");
    app.stopped().await;
}

#[tokio::test]
async fn unlimited_deadline_is_accepted() {
    let mut app = app(ShutdownOptions::within(Duration::MAX)).await;
    let mut stream = app.open("/events").await;
    app.stop();
    expect_farewell(&mut stream).await;
    app.stopped().await;
}

/// A client that connects at the moment of the shutdown is served, ended or refused, and never
/// delays the shutdown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_clients_do_not_delay_a_shutdown() {
    for round in 0..20 {
        let mut app = app(ShutdownOptions::within(FOREVER)).await;
        let address = app.address;
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..32 {
            let path = if client % 4 == 0 { "/ping" } else { "/events" };
            clients.spawn(async move {
                // Clients in the listener's queue are reset when the listener closes. This test
                // ignores them.
                let Ok(mut client) = RawRequest::get(address, path).open().await else {
                    return;
                };
                while client.next_bytes().await.is_ok_and(|bytes| bytes.is_some()) {}
            });
        }
        app.until(|app| app.manager.stats().counters.connected > round)
            .await;
        app.stop();
        app.stopped().await;
        tokio::time::timeout(TIMEOUT, clients.join_all())
            .await
            .unwrap();
    }
}
