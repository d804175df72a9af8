//! Connections that are upgraded to another protocol.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sse_core::{Manager, ShutdownOptions};
use std::time::Duration;
use tokio::io::{copy, split};

use crate::{app::App, connection::Connection};

/// Echoes all bytes.
pub(crate) async fn echo(upgrade: OnUpgrade) {
    let (mut reader, mut writer) = split(TokioIo::new(upgrade.await.unwrap()));
    copy(&mut reader, &mut writer).await.unwrap();
}

async fn upgraded(app: &App) -> Connection {
    let mut connection = Connection::open(app.address).await;
    let head =
        "GET /upgrade HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    // Bytes that arrive with the request are the first bytes of the new protocol.
    connection.send(&format!("{head}early ")).await;
    assert!(connection.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(connection.exactly(6).await, b"early ");
    connection
}

#[tokio::test]
async fn an_upgraded_connection_is_the_services_own() {
    let app = App::start(Manager::builder()).await;
    let mut connection = upgraded(&app).await;
    app.until(|app| app.connections() == 0).await;
    connection.send("late").await;
    assert_eq!(connection.exactly(4).await, b"late");
}

#[tokio::test]
async fn shutdown_ignores_upgraded_connections() {
    let mut app = App::start_with(Manager::builder(), |serve| {
        serve.shutdown_options(ShutdownOptions::within(Duration::MAX / 4))
    })
    .await;
    let mut connection = upgraded(&app).await;
    app.until(|app| app.connections() == 0).await;
    app.stop();
    app.stopped().await;
    connection.send("still here").await;
    assert_eq!(connection.exactly(10).await, b"still here");
}
