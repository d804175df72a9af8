//! Connections of HTTP/2, apart from the rules that the suite checks for every adapter.

use std::time::Duration;

use sse_core::{DisconnectReason, Manager};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    app::{App, TIMEOUT},
    connection::Connection,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame (RFC 9113, section 6.5).
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// HEADERS that end the stream, and with `:method: GET`, `:scheme: http`, `:path` and `:authority`
/// (RFC 7541, appendix A).
const GET_EVENTS: &[u8] = b"\0\0\x16\x01\x05\0\0\0\x01\x82\x86\x04\x07/events\x01\x09localhost";

fn app() -> impl Future<Output = App> {
    App::start(Manager::builder().connection_timeout(Duration::from_secs(1)))
}

/// Sends bytes and reads until the connection ends. Nothing that arrives is answered.
async fn to_the_end(app: &App, sent: &[&[u8]]) -> Vec<u8> {
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    socket.write_all(&sent.concat()).await.unwrap();
    let mut all = Vec::new();
    // A reset is an end as well.
    let _ = timeout(TIMEOUT, socket.read_to_end(&mut all))
        .await
        .unwrap();
    all
}

#[tokio::test]
async fn unanswered_ping_ends_connection_and_streams() {
    let app = app().await;
    let read = to_the_end(&app, &[PREFACE, SETTINGS, GET_EVENTS]).await;
    assert!(
        read.windows(10).any(|window| window == b"connection"),
        "the stream did not begin: {read:?}"
    );
    assert_eq!(app.departures(1).await, [DisconnectReason::ClientLeft]);
    app.until(|app| app.connections() == 0).await;
}

#[tokio::test]
async fn malformed_frames_end_the_connection() {
    let app = app().await;
    to_the_end(&app, &[PREFACE, &[0xff; 64]]).await;
    app.until(|app| app.connections() == 0).await;
    assert_eq!(app.manager.stats().counters.connected, 0);
}

#[tokio::test]
async fn a_shutdown_ends_a_connection_without_streams() {
    let mut app = App::start(Manager::builder()).await;
    let idle = Connection::open(app.address).await;
    let socket = TcpStream::connect(app.address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://localhost/ping")
        .body(())
        .unwrap();
    let (answer, _) = requests.send_request(request, true).unwrap();
    assert_eq!(
        timeout(TIMEOUT, answer).await.unwrap().unwrap().status(),
        200
    );
    app.until(|app| app.connections() == 2).await;
    app.stop();
    assert_eq!(idle.rest().await, b"");
    timeout(TIMEOUT, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    app.stopped().await;
}
