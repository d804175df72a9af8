//! Responses to requests, apart from the responses that every adapter returns.

use sse_core::{DisconnectOptions, Event, Manager, Target};
use sse_testkit::RawRequest;

use crate::app::{App, TIMEOUT};

#[tokio::test]
async fn connection_close_is_kept() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/events")
        .header("Connection", "close")
        .open()
        .await
        .unwrap();
    assert_eq!(
        client.head().await.unwrap().headers.get("connection"),
        Some("close")
    );
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "system"
    );
    client.expect_end().await.unwrap();
    tokio::time::timeout(TIMEOUT, client.expect_close())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn middleware_fields_are_kept_on_streams() {
    let app = App::start(Manager::builder()).await;
    let mut client = RawRequest::get(app.address, "/layered")
        .open()
        .await
        .unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.headers.get("x-layer"), Some("kept"));
    assert_eq!(head.headers.get("vary"), Some("origin"));
    assert_eq!(head.headers.get("x-accel-buffering"), Some("no"));
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    app.manager
        .all()
        .publish(Event::text("through"))
        .await
        .unwrap();
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().data,
        "through"
    );
}
