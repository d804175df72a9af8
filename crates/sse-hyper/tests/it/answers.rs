//! What a request gets.

use std::time::Duration;

use sse_core::{Disconnect, Event, Manager, RefusalForm, Target};
use sse_testkit::{RawRequest, Version, request};

use crate::{
    app::{App, PATIENCE},
    connection::Connection,
};

#[tokio::test]
async fn a_head_request_gets_the_heads_fields_and_registers_nothing() {
    let app = App::start(Manager::builder()).await;
    let mut connection = Connection::open(app.address).await;
    connection.send("HEAD /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let head = connection.head().await.to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    for field in ["content-type: text/event-stream\r\n", "cache-control: no-cache, no-transform\r\n"] {
        assert!(head.contains(field), "{head}");
    }
    // A length would be said of the stream (RFC 9110, section 8.6).
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(app.manager.stats().counters.connected, 0);
    connection.get("/ping").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn other_methods_are_told_which_ones_are_allowed() {
    let app = App::start(Manager::builder()).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let response = request(app.address, method, "/events", &[], "").await.unwrap();
        assert_eq!((response.status, response.headers.get("allow")), (405, Some("GET, HEAD")), "{method}");
        assert_eq!(response.text().unwrap(), "a stream is opened with GET\n");
    }
    assert_eq!(app.manager.stats().counters.refused.get("method"), 6);
}

#[tokio::test]
async fn a_bad_topic_is_a_bad_request() {
    let app = App::start(Manager::builder()).await;
    let long = format!("/events?topics={}", "x".repeat(257));
    for path in ["/events?topics=a,b%0A", "/events?topics=%00", &long] {
        let response = request(app.address, "GET", path, &[], "").await.unwrap();
        assert_eq!(response.status, 400, "{path}");
        assert!(response.text().unwrap().starts_with("topics: "), "{:?}", response.text());
    }
    assert_eq!(app.manager.stats().total_connections, 0);
}

#[tokio::test]
async fn a_last_event_id_of_any_bytes_connects() {
    let app = App::start(Manager::builder()).await;
    let request = RawRequest::get(app.address, "/events").header("Last-Event-ID", b"\xff\xfe \xc3\xbc");
    let mut client = request.open().await.unwrap();
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks_and_an_end() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/events").version(Version::Http10).open().await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.headers.get("transfer-encoding"), None);
    assert_eq!(head.headers.get("content-length"), None);
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
    app.manager.all().publish(Event::text("old\nfashioned")).await.unwrap();
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().data, "old\nfashioned");
    app.manager.disconnect(Target::All, Disconnect::new()).await;
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "system");
    client.expect_end().await.unwrap();
    app.until(|app| app.connections() == 0).await;
}

#[tokio::test]
async fn connection_close_is_kept() {
    let app = App::start(Manager::builder()).await;
    let mut client =
        RawRequest::get(app.address, "/events").header("Connection", "close").open().await.unwrap();
    assert_eq!(client.head().await.unwrap().headers.get("connection"), Some("close"));
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
    app.manager.disconnect(Target::All, Disconnect::new()).await;
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "system");
    client.expect_end().await.unwrap();
    tokio::time::timeout(PATIENCE, client.expect_close()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_middleware_adds_is_kept_and_the_stream_is_still_one() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/layered").open().await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.headers.get("x-layer"), Some("kept"));
    assert_eq!(head.headers.get("vary"), Some("origin"));
    assert_eq!(head.headers.get("x-accel-buffering"), Some("no"));
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
    app.manager.all().publish(Event::text("through")).await.unwrap();
    assert_eq!(client.next_event_within(PATIENCE).await.unwrap().data, "through");
}

#[tokio::test]
async fn a_user_who_is_to_stay_away_gets_no_content() {
    let app = App::start(Manager::builder()).await;
    let user = sse_core::UserId::new("42").unwrap();
    let away = Disconnect::new().stay_away(Duration::from_secs(60));
    app.manager.disconnect(Target::User(user), away).await;
    let response = request(app.address, "GET", "/events?user=42", &[], "").await.unwrap();
    assert_eq!((response.status, response.headers.get("content-length")), (204, None));
}

#[tokio::test]
async fn a_soft_refusal_is_a_whole_stream() {
    let app = App::start(Manager::builder().max_connections(1).refusal(RefusalForm::Soft)).await;
    let _only = app.open("/events").await;
    let response = request(app.address, "GET", "/events", &[], "").await.unwrap();
    assert_eq!((response.status, response.headers.get("content-type")), (200, Some("text/event-stream")));
    assert!(response.text().unwrap().starts_with("retry: "), "{:?}", response.text());
}
