//! What a request gets.

use sse_core::{Event, LimitPolicy, Manager, RefusalForm};
use sse_testkit::{RawRequest, request};

use crate::app::{App, PATIENCE};

#[tokio::test]
async fn a_stream_has_its_headers_and_its_first_block() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/api/sse?user=42").open().await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.headers.get("content-type"), Some("text/event-stream"));
    assert_eq!(head.headers.get("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(head.headers.get("x-accel-buffering"), Some("no"));
    assert_eq!(head.headers.get("content-length"), None);
    let hello = client.next_event_within(PATIENCE).await.unwrap();
    let data: serde_json::Value = serde_json::from_str(&hello.data).unwrap();
    assert_eq!(
        (&data["userId"], &data["status"], &data["resumed"]),
        (&"42".into(), &"connected".into(), &false.into())
    );
    assert!((2250..=3750).contains(&client.decoder().retry().unwrap()));
}

#[tokio::test]
async fn events_reach_every_stream_of_a_user_and_nobody_else() {
    let app = App::start(Manager::builder()).await;
    let mut mine = [app.open("/api/sse?user=42").await, app.open("/api/sse?user=42&topics=news").await];
    let mut other = app.open("/api/sse?user=7").await;
    let receipt = app.manager.user("42").publish(Event::text("yours")).await.unwrap();
    assert_eq!(receipt.matched, 2);
    app.manager.all().publish(Event::text("everybody's")).await.unwrap();
    for client in &mut mine {
        assert_eq!(client.next_event_within(PATIENCE).await.unwrap().data, "yours");
        assert_eq!(client.next_event_within(PATIENCE).await.unwrap().data, "everybody's");
    }
    assert_eq!(other.next_event_within(PATIENCE).await.unwrap().data, "everybody's");
    let receipt = app.manager.topic("news").publish(Event::text("topical")).await.unwrap();
    assert_eq!(receipt.matched, 1);
    assert_eq!(mine[1].next_event_within(PATIENCE).await.unwrap().data, "topical");
}

#[tokio::test]
async fn head_gives_the_headers_and_registers_nothing() {
    let app = App::start(Manager::builder()).await;
    let response = request(app.address, "HEAD", "/api/sse", &[], "").await.unwrap();
    assert_eq!((response.status, response.headers.get("content-type")), (200, Some("text/event-stream")));
    assert_eq!(app.manager.stats().counters.connected, 0);
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let app = App::start(Manager::builder()).await;
    let response = request(app.address, "POST", "/api/sse", &[], "").await.unwrap();
    assert_eq!(response.status, 405);
    assert!(response.headers.get("allow").unwrap().contains("GET"));
}

#[tokio::test]
async fn a_bad_topic_is_a_bad_request_that_is_counted() {
    let app = App::start(Manager::builder()).await;
    let response = request(app.address, "GET", "/api/sse?topics=a,b%00", &[], "").await.unwrap();
    assert_eq!(response.status, 400);
    assert!(response.text().unwrap().starts_with("topics: "), "{:?}", response.text());
    assert_eq!(app.manager.stats().counters.refused.get("invalid"), 1);
}

#[tokio::test]
async fn limits_refuse_with_retry_after() {
    let builder = Manager::builder().max_connections(2).max_connections_per_user(1, LimitPolicy::Refuse);
    let app = App::start(builder).await;
    let _first = app.open("/api/sse?user=42").await;
    let user_limit = request(app.address, "GET", "/api/sse?user=42", &[], "").await.unwrap();
    let _second = app.open("/api/sse?user=7").await;
    let full = request(app.address, "GET", "/api/sse?user=8", &[], "").await.unwrap();
    assert_eq!((user_limit.status, full.status), (429, 503));
    for response in [user_limit, full] {
        let seconds: u64 = response.headers.get("retry-after").unwrap().parse().unwrap();
        assert!((1..=15).contains(&seconds));
    }
}

#[tokio::test]
async fn the_address_counts_for_its_limit() {
    let builder = Manager::builder().max_connections_per_address(1, LimitPolicy::ReplaceOldest);
    let app = App::start(builder).await;
    let mut first = app.open("/api/sse").await;
    let elsewhere = RawRequest::get(app.address, "/api/sse").source("127.0.0.9".parse().unwrap());
    let _elsewhere = elsewhere.open().await.unwrap();
    let _second = app.open("/api/sse").await;
    let farewell = first.next_event_within(PATIENCE).await.unwrap();
    let data: serde_json::Value = serde_json::from_str(&farewell.data).unwrap();
    assert_eq!((&data["event"], &data["data"]["reason"]), (&"disconnected".into(), &"replaced".into()));
    assert_eq!(data["data"]["reconnect"], false);
    first.expect_end().await.unwrap();
}

#[tokio::test]
async fn a_soft_refusal_is_a_stream_that_tells_when_to_return() {
    let app = App::start(Manager::builder().max_connections(1).refusal(RefusalForm::Soft)).await;
    let _only = app.open("/api/sse").await;
    let mut client = RawRequest::get(app.address, "/api/sse").open().await.unwrap();
    assert_eq!(client.head().await.unwrap().status, 200);
    client.expect_end().await.unwrap();
    assert!(client.decoder().retry().unwrap() >= 1000);
}

#[tokio::test]
async fn a_request_head_of_12_kib_connects() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/api/sse").padded_to(12 << 10).open().await.unwrap();
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
}

#[tokio::test]
async fn a_connection_serves_again_after_its_stream_was_ended() {
    let builder = Manager::builder().connection_timeout(std::time::Duration::from_millis(100));
    let app = App::start(builder).await;
    let mut client = app.open("/api/sse?user=42").await;
    app.manager.disconnect(sse_core::Target::All, sse_core::Disconnect::new()).await;
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "system");
    client.expect_end().await.unwrap();
    // Longer than the connection would have been given to take what is left.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    client.send(b"GET /ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    client.expect_close().await.unwrap_err();
}
