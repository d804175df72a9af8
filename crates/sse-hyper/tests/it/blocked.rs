//! Clients that take nothing, with hyper and with the reactor.

use std::time::Duration;

use sse_core::{
    DisconnectOptions, DisconnectReason, Event, Manager, ShutdownOptions, Target,
    connections::ConnectionQuery,
};
use sse_hyper::Serve;
use sse_testkit::{End, RawClient, RawRequest};

use crate::app::{App, Site, TIMEOUT};

/// Opens a stream and reads nothing of it.
async fn stall(app: &App) -> RawClient {
    let client = RawRequest::get(app.address, "/events")
        .receive_buffer(4096)
        .send()
        .await
        .unwrap();
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    client
}

fn waiting(app: &App) -> usize {
    app.manager
        .connections(&ConnectionQuery::first(1))
        .items
        .iter()
        .map(|stream| stream.waiting)
        .sum()
}

/// Publishes more bytes than all buffers on the way to a client that reads nothing can hold.
async fn fill(app: &App) {
    let large = Event::text("x".repeat(512 << 10));
    for _ in 0..64 {
        app.manager.all().publish(large.clone()).await.unwrap();
    }
    let has_begun =
        |app: &App| app.transports().reactor.blocked + app.transports().bodies.total() == 1;
    // The manager has possibly ended the stream because it was blocked.
    app.until(|app| has_begun(app) || app.manager.stats().total_connections == 0)
        .await;
}

/// Reads the bytes that the client's system took. Returns the way in which the connection ended.
async fn end(client: &mut RawClient) -> End {
    tokio::time::timeout(TIMEOUT, client.end())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_stalled_client_is_reset() {
    stalled(|serve| serve).await;
}

#[tokio::test]
async fn a_stalled_client_of_hyper_is_reset() {
    stalled(Serve::without_reactor).await;
}

async fn stalled(settings: impl FnOnce(Serve<Site>) -> Serve<Site>) {
    let builder = Manager::builder()
        .connection_timeout(Duration::from_secs(3))
        .queue(1 << 16, 1 << 30);
    let options = sse_hyper::SocketOptions::default();
    let app = App::start_with(builder, |serve| settings(serve.socket_options(options))).await;
    let mut client = stall(&app).await;
    fill(&app).await;
    assert_eq!(app.departures(1).await, [DisconnectReason::Stalled]);
    app.until(|app| app.connections() == 0).await;
    assert_eq!(end(&mut client).await, End::Reset);
}

#[tokio::test]
async fn kicked_blocked_client_is_reset_after_linger() {
    kicked(|serve| serve).await;
}

#[tokio::test]
async fn kicked_blocked_hyper_client_is_reset_after_linger() {
    kicked(Serve::without_reactor).await;
}

async fn kicked(settings: impl FnOnce(Serve<Site>) -> Serve<Site>) {
    let app = App::start_with(Manager::builder().queue(1 << 16, 1 << 30), settings).await;
    let mut client = stall(&app).await;
    fill(&app).await;
    assert_eq!(
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await,
        1
    );
    assert_eq!((app.manager.stats().ending, app.connections()), (1, 1));
    assert_eq!(app.departures(1).await, [DisconnectReason::Kicked]);
    app.until(|app| app.connections() == 0).await;
    assert_eq!(end(&mut client).await, End::Reset);
}

/// hyper releases the stream, because the end of the stream is in a buffer. The client takes
/// nothing of the buffer.
#[tokio::test]
async fn kicked_client_with_bytes_in_hyper_is_reset() {
    let app = App::start_narrow(Manager::builder(), |serve| {
        serve
            .header_timeout(Duration::from_secs(3600))
            .without_reactor()
    })
    .await;
    let mut client = stall(&app).await;
    // More than the narrow sockets take, and less than hyper holds.
    let part = Event::text("x".repeat(5 << 10));
    for _ in 0..10 {
        app.manager.all().publish(part.clone()).await.unwrap();
        app.until(|app| waiting(app) == 0).await;
    }
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(app.departures(1).await, [DisconnectReason::Kicked]);
    assert_eq!(app.connections(), 1, "something is left to be written");
    app.until(|app| app.connections() == 0).await;
    assert_eq!(end(&mut client).await, End::Reset);
}

#[tokio::test]
async fn kicked_client_that_drains_keeps_its_connection() {
    let app = App::start_narrow(Manager::builder(), Serve::without_reactor).await;
    let mut client = stall(&app).await;
    // More than the narrow sockets take, and less than hyper holds.
    let part = Event::text("x".repeat(5 << 10));
    for _ in 0..10 {
        app.manager.all().publish(part.clone()).await.unwrap();
        app.until(|app| waiting(app) == 0).await;
    }
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    app.departures(1).await;
    assert_eq!(end(&mut client).await, End::Complete);
    // This pause is longer than the time that the client had to take the rest.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(app.connections(), 1);
    client
        .send(b"GET /ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    client.expect_close().await.unwrap_err();
}

#[tokio::test]
async fn shutdown_resets_blocked_clients_at_deadline() {
    shut_down(|serve| serve).await;
}

#[tokio::test]
async fn shutdown_resets_blocked_hyper_clients_at_deadline() {
    shut_down(Serve::without_reactor).await;
}

async fn shut_down(settings: impl FnOnce(Serve<Site>) -> Serve<Site>) {
    let drain = ShutdownOptions::within(Duration::from_millis(300));
    let builder = Manager::builder().queue(1 << 16, 1 << 30);
    let mut app = App::start_with(builder, |serve| settings(serve.shutdown_options(drain))).await;
    let mut client = stall(&app).await;
    fill(&app).await;
    app.stop();
    app.stopped().await;
    assert_eq!(end(&mut client).await, End::Reset);
}
