//! Connections with several requests, and with less than one.

use std::time::Duration;

use sse_core::{DisconnectOptions, Event, Manager, Target};
use sse_testkit::RawRequest;

use crate::{
    app::{App, TIMEOUT},
    connection::Connection,
};

#[tokio::test]
async fn used_connection_can_open_a_stream() {
    let app = App::start_with_bodies(Manager::builder()).await;
    let mut connection = Connection::open(app.address).await;
    for _ in 0..3 {
        connection.get("/ping").await;
        assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
        assert_eq!(connection.exactly(4).await, b"pong");
    }
    connection.get("/events").await;
    assert!(connection.head().await.contains("text/event-stream"));
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    app.manager
        .all()
        .publish(Event::text("after pongs"))
        .await
        .unwrap();
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    let events = connection.events().await;
    assert_eq!(
        events
            .iter()
            .map(|event| &*event.event_type)
            .collect::<Vec<_>>(),
        ["connection", "message", "system"]
    );
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn a_connection_has_one_stream_after_the_other() {
    let linger = Duration::from_secs(1);
    let builder = Manager::builder().connection_timeout(linger);
    let app = App::start_with_bodies(builder).await;
    let mut connection = Connection::open(app.address).await;
    for round in 0..3 {
        connection.get("/events").await;
        connection.head().await;
        app.until(|app| app.manager.stats().total_connections == 1)
            .await;
        // This pause is longer than the time that the connection of the last stream had to take the
        // rest.
        tokio::time::sleep(linger * 5 / 4).await;
        app.manager
            .all()
            .publish(Event::text(round.to_string()))
            .await
            .unwrap();
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await;
        assert_eq!(connection.events().await[1].data, round.to_string());
        app.departures(round + 1).await;
    }
    connection.get("/ping").await;
    connection.head().await;
    assert_eq!(connection.exactly(4).await, b"pong");
}

#[tokio::test]
async fn pipelined_second_stream_is_watched() {
    let app = App::start_with_bodies(Manager::builder()).await;
    let mut connection = Connection::open(app.address).await;
    let ask = "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    connection.send(&format!("{ask}{ask}")).await;
    for round in 1..=2 {
        connection.head().await;
        app.until(|app| app.manager.stats().total_connections == 1)
            .await;
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await;
        assert_eq!(connection.events().await.len(), 2);
        app.departures(round).await;
    }
}

#[tokio::test]
async fn missing_head_closes_the_connection() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve
            .header_timeout(Duration::from_secs(2))
            .keep_alive_timeout(Duration::from_secs(2))
    })
    .await;
    let silent = Connection::open(app.address).await;
    let mut half = Connection::open(app.address).await;
    half.send("GET /events HTTP/1.1\r\nhost: local").await;
    let mut kept = Connection::open(app.address).await;
    kept.get("/ping").await;
    kept.head().await;
    kept.exactly(4).await;
    for connection in [silent, half, kept] {
        assert_eq!(connection.rest().await, b"");
    }
    app.until(|app| app.connections() == 0).await;
    assert_eq!(app.manager.stats().counters.connected, 0);
}

#[tokio::test]
async fn trickling_head_closes_the_connection() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve.header_timeout(Duration::from_millis(200))
    })
    .await;
    let request = RawRequest::get(app.address, "/events")
        .padded_to(4096)
        .trickle(Duration::from_millis(10));
    let result = tokio::time::timeout(TIMEOUT, request.open()).await.unwrap();
    assert!(result.is_err(), "{result:?}");
    app.until(|app| app.connections() == 0).await;
}

#[tokio::test]
async fn a_stream_outlives_the_header_timeout() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve.header_timeout(Duration::from_secs(1))
    })
    .await;
    let mut client = app.open("/events").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    app.manager
        .all()
        .publish(Event::text("still here"))
        .await
        .unwrap();
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().data,
        "still here"
    );
}

#[tokio::test]
async fn malformed_request_is_answered_and_closed() {
    let app = App::start(Manager::builder()).await;
    let mut connection = Connection::open(app.address).await;
    connection
        .send("\x16\x03\x01 this is no HTTP\r\n\r\n")
        .await;
    assert!(connection.rest().await.starts_with(b"HTTP/1.1 400 "));
    app.until(|app| app.connections() == 0).await;
}

#[tokio::test]
async fn unlimited_header_timeout_is_accepted() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve.header_timeout(Duration::MAX)
    })
    .await;
    let mut connection = Connection::open(app.address).await;
    connection.get("/ping").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
}
