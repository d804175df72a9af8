//! The end of a server.

use std::{collections::BTreeSet, time::Duration};

use sse_core::{Drain, Event, Manager};
use sse_testkit::{RawRequest, request};

use crate::app::{App, PATIENCE};

#[tokio::test]
async fn open_streams_end_with_a_farewell_and_the_server_with_them() {
    let mut app = App::start(Manager::builder()).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(app.open("/api/sse").await);
    }
    app.manager.all().publish(Event::text("last words")).await.unwrap();
    app.stop();
    let mut retries = BTreeSet::new();
    for client in &mut clients {
        assert_eq!(client.next_event_within(PATIENCE).await.unwrap().data, "last words");
        let farewell = client.next_event_within(PATIENCE).await.unwrap();
        let data: serde_json::Value = serde_json::from_str(&farewell.data).unwrap();
        assert_eq!((farewell.event_type.as_str(), &data["event"]), ("system", &"shutdown".into()));
        client.expect_end().await.unwrap();
        let retry = client.decoder().retry().unwrap();
        assert!((1000..=10_000).contains(&retry));
        retries.insert(retry);
    }
    assert!(retries.len() > 150, "clients come back spread: {}", retries.len());
    app.stopped().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_outlive_the_deadline() {
    let drain = Drain::within(Duration::from_millis(500));
    let mut app = App::start_with(Manager::builder().queue(1 << 16, 1 << 30), drain).await;
    let _stalled = RawRequest::get(app.address, "/api/sse").receive_buffer(4096).open().await.unwrap();
    app.until(|manager| manager.stats().total_connections == 1).await;
    let large = Event::text("x".repeat(64 << 10));
    for _ in 0..400 {
        app.manager.all().publish(large.clone()).await.unwrap();
    }
    app.stop();
    app.stopped().await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_newcomers_not_accepted() {
    let mut app = App::start(Manager::builder()).await;
    let mut idle = RawRequest::get(app.address, "/ping").send().await.unwrap();
    assert_eq!(idle.head().await.unwrap().status, 200);
    let address = app.address;
    app.stop();
    app.stopped().await;
    assert!(request(address, "GET", "/ping", &[], "").await.is_err());
}

#[tokio::test]
async fn a_draining_manager_refuses_newcomers() {
    let app = App::start(Manager::builder()).await;
    app.manager.shutdown(Drain::default()).await;
    let response = request(app.address, "GET", "/api/sse", &[], "").await.unwrap();
    assert_eq!(response.status, 503);
    assert!(response.headers.get("retry-after").is_some());
}
