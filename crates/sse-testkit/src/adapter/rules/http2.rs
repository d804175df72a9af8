//! Streams over HTTP/2.

use std::time::Duration;

use http::Method;
use sse_core::{DisconnectReason, Event, Manager, ManagerBuilder};

use crate::adapter::{
    harness::Harness,
    http2::{Http2, Http2Stream},
    running_app::json,
};

const WINDOW: u32 = 1 << 16;
const OFTEN: Duration = Duration::from_millis(400);
/// Long enough for a server on a busy machine to send the data that waits for a client that reads.
const SOON: Duration = Duration::from_secs(2);

/// Returns a builder with frequent heartbeats, which detect the end of a connection or a stream if
/// the framework does not.
fn often() -> ManagerBuilder {
    Manager::builder().heartbeat_interval(OFTEN)
}

pub async fn one_connection_carries_many_streams(harness: Harness) {
    let app = harness.start(often());
    let mut connection = Http2::connect(app.address, WINDOW).await;
    let mut streams = Vec::new();
    for number in 0..100 {
        streams.push(connection.open(&format!("/events?user={number}")).await);
    }
    app.live(100).await;
    for round in 0..10 {
        app.publish(&round.to_string()).await;
    }
    for stream in &mut streams {
        for round in 0..10 {
            assert_eq!(stream.next_but_heartbeats().await.data, round.to_string());
        }
    }
    connection.abort();
    drop(streams);
    assert_eq!(
        app.departures(100).await,
        [DisconnectReason::ClientLeft; 100]
    );
    app.finish().await;
}

pub async fn http2_responses_have_no_http_1_fields(harness: Harness) {
    let app = harness.start(Manager::builder().max_connections(1));
    let mut connection = Http2::connect(app.address, WINDOW).await;
    let stream = connection.open("/events").await;
    for (name, value) in sse_core::dialect::STREAM_HEADERS {
        assert_eq!(
            stream
                .head
                .headers
                .get(name)
                .map(http::HeaderValue::as_bytes),
            Some(value.as_bytes())
        );
    }
    // RFC 9113, section 8.2.2.
    for name in [
        "connection",
        "transfer-encoding",
        "keep-alive",
        "content-length",
    ] {
        assert!(stream.head.headers.get(name).is_none(), "{name}");
    }
    let full = connection.ask(Method::GET, "/events").await;
    assert_eq!(full.head.status, 503);
    assert!(full.head.headers.contains_key("retry-after"));
    let mut head = connection.ask(Method::HEAD, "/events").await;
    assert_eq!(head.head.status, 200);
    while let Some(bytes) = head.bytes().await {
        assert_eq!(bytes.expect("a clean end"), "", "HEAD has no body");
    }
    let wrong = connection.ask(Method::PUT, "/events").await;
    assert_eq!(wrong.head.status, 405);
    assert!(wrong.head.headers.contains_key("allow"));
    app.finish().await;
}

pub async fn reset_stream_affects_no_other_stream(harness: Harness) {
    let app = harness.start(often());
    let mut connection = Http2::connect(app.address, WINDOW).await;
    let mut stays = connection.open("/events?user=42").await;
    connection.open("/events?user=42").await.reset();
    assert_eq!(app.departures(1).await, [DisconnectReason::ClientLeft]);
    app.publish("still").await;
    assert_eq!(stays.next_but_heartbeats().await.data, "still");
    app.finish().await;
}

async fn expect_farewell(stream: &mut Http2Stream, name: &str) {
    let event = stream.next().await;
    assert_eq!(
        (event.event_type.as_str(), &json(&event)["event"]),
        ("system", &name.into())
    );
    stream.expect_end().await;
}

pub async fn shutdown_ends_streams_then_the_connection(harness: Harness) {
    let mut app = harness.start(Manager::builder());
    let mut connection = Http2::connect(app.address, WINDOW).await;
    let mut streams = [
        connection.open("/events").await,
        connection.open("/events").await,
    ];
    app.stop();
    for stream in &mut streams {
        expect_farewell(stream, "shutdown").await;
    }
    drop(streams);
    connection.closed().await;
    app.finish().await;
}

pub async fn closed_window_ends_only_its_stream(harness: Harness) {
    let builder = Manager::builder()
        .connection_timeout(SOON)
        .queue(1 << 20, 1 << 30);
    let app = harness.start(builder);
    let mut connection = Http2::connect(app.address, WINDOW).await;
    let mut fast = connection.open("/events?user=fast").await;
    // The client reads nothing of this stream, so the stream's window closes and stays closed.
    let slow = connection.open("/events?user=slow").await;
    let large = "x".repeat(16 << 10);
    let mut sent = 0;
    while app.manager.stats().total_connections == 2 {
        app.manager
            .all()
            .publish(Event::text(format!("{sent} {large}")))
            .await
            .expect("a publish");
        let event = fast.next().await;
        assert!(
            event.data.starts_with(&format!("{sent} ")),
            "the fast stream misses event {sent}"
        );
        sent += 1;
        assert!(sent < 100_000, "the slow stream is never ended");
    }
    assert_eq!(app.departures(1).await, [DisconnectReason::Stalled]);
    app.publish("after").await;
    assert_eq!(fast.next().await.data, "after");
    drop(slow);
    app.finish().await;
}
