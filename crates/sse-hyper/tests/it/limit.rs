//! A server that takes so many connections and no more.

use std::time::Duration;

use sse_core::{Manager, Reason};
use sse_testkit::RawRequest;

use crate::{
    app::{App, PATIENCE},
    connection::Connection,
};

async fn app_for_two() -> App {
    App::start_with(Manager::builder(), |serve| serve.max_connections(2)).await
}

#[tokio::test]
async fn newcomers_wait_until_somebody_leaves() {
    let app = app_for_two().await;
    let stays = app.open("/events").await;
    let leaves = app.open("/events").await;
    let waits = RawRequest::get(app.address, "/events").open();
    let mut waits = std::pin::pin!(waits);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waits).await;
    assert!(early.is_err(), "the third is served beside the first two: {early:?}");
    drop(leaves);
    let mut came = tokio::time::timeout(PATIENCE, waits).await.unwrap().unwrap();
    assert_eq!(came.next_event_within(PATIENCE).await.unwrap().event_type, "connection");
    assert_eq!(app.departures(1).await, [Reason::ClientLeft]);
    drop(stays);
}

#[tokio::test]
async fn a_connection_that_sends_nothing_does_not_take_a_place_for_ever() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve.max_connections(1).header_timeout(Duration::from_secs(1))
    })
    .await;
    let silent = Connection::open(app.address).await;
    app.open("/events").await;
    assert_eq!(silent.rest().await, b"");
}

#[tokio::test]
async fn an_upgraded_connection_takes_no_place() {
    let app = App::start_with(Manager::builder(), |serve| serve.max_connections(1)).await;
    let mut upgraded = Connection::open(app.address).await;
    upgraded
        .send("GET /upgrade HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    assert!(upgraded.head().await.starts_with("HTTP/1.1 101 "));
    app.open("/events").await;
    upgraded.send("still here").await;
    assert_eq!(upgraded.exactly(10).await, b"still here");
}

#[tokio::test]
async fn a_full_server_shuts_down() {
    let mut app = app_for_two().await;
    let mut clients = [app.open("/events").await, app.open("/events").await];
    // Was never accepted, so the end of the listener is its end.
    let waits = Connection::open(app.address).await;
    app.stop();
    for client in &mut clients {
        assert_eq!(client.next_event_within(PATIENCE).await.unwrap().event_type, "system");
        client.expect_end().await.unwrap();
    }
    app.stopped().await;
    drop(waits);
}
