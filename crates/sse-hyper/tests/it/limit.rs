//! A server with a maximum number of connections, and the choice of the connections that it closes.

use std::{future::Future, net::Ipv4Addr, pin::Pin, time::Duration};

use sse_core::{DisconnectOptions, DisconnectReason, Manager, Target};
use sse_hyper::Serve;
use sse_testkit::RawRequest;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::{
    app::{App, Site, TIMEOUT},
    connection::Connection,
    phases::{PREFACE, SETTINGS, get},
};

const FOREVER: Duration = Duration::from_secs(3600);

async fn app_for_two() -> App {
    App::start_with(Manager::builder(), |serve| serve.max_connections(2)).await
}

/// Starts an app with timeouts that close nothing during a test.
async fn bounded(settings: impl FnOnce(Serve<Site>) -> Serve<Site>) -> App {
    App::start_with(Manager::builder(), |serve| {
        settings(serve.header_timeout(FOREVER).keep_alive_timeout(FOREVER))
    })
    .await
}

/// Connects from one of the many addresses of this machine.
async fn from(app: &App, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(address), 0).into()).unwrap();
    socket.connect(app.address).await.unwrap()
}

/// Returns a connection that was served once, and is kept.
async fn kept(app: &App, address: [u8; 4]) -> Connection {
    let mut connection = Connection::over(from(app, address).await);
    served(&mut connection).await;
    connection
}

async fn served(connection: &mut Connection) {
    connection.get("/ping").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(connection.exactly(4).await, b"pong");
}

/// Returns `true` if the server has closed a connection, whatever else it has sent.
async fn is_closed(socket: &TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match tokio::time::timeout(Duration::from_millis(50), socket.readable()).await {
            Err(_) => return false,
            Ok(_) => match socket.try_read(&mut buffer) {
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return true,
            },
        }
    }
}

async fn expect_close(socket: &TcpStream, name: &str) {
    let closed = async { while !is_closed(socket).await {} };
    let closed = tokio::time::timeout(TIMEOUT, closed).await;
    closed.unwrap_or_else(|_| panic!("{name}: the connection is still open"));
}

#[tokio::test]
async fn new_clients_wait_for_a_free_place() {
    let app = app_for_two().await;
    let stays = app.open("/events").await;
    let leaves = app.open("/events").await;
    let waits = RawRequest::get(app.address, "/events").open();
    let mut waits = std::pin::pin!(waits);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waits).await;
    assert!(
        early.is_err(),
        "the third connection was served although two are open: {early:?}"
    );
    drop(leaves);
    let mut came = tokio::time::timeout(TIMEOUT, waits).await.unwrap().unwrap();
    assert_eq!(
        came.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    assert_eq!(app.departures(1).await, [DisconnectReason::ClientLeft]);
    drop(stays);
}

#[tokio::test]
async fn new_clients_take_the_place_of_ended_streams() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve
            .max_connections(2)
            .without_reactor()
            .keep_alive_timeout(FOREVER)
    })
    .await;
    let _first = app.open("/events").await;
    let _second = app.open("/events").await;
    let third = RawRequest::get(app.address, "/events").open();
    let ending = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await
    };
    let (third, ended) = tokio::join!(tokio::time::timeout(TIMEOUT, third), ending);
    assert_eq!(ended, 2);
    assert_eq!(
        third
            .unwrap()
            .unwrap()
            .next_event_within(TIMEOUT)
            .await
            .unwrap()
            .event_type,
        "connection"
    );
}

#[tokio::test]
async fn silent_connection_takes_no_place() {
    let app = App::start_with(Manager::builder(), |serve| {
        serve.max_connections(1).header_timeout(FOREVER)
    })
    .await;
    let silent = Connection::open(app.address).await;
    app.open("/events").await;
    assert_eq!(silent.rest().await, b"");
}

/// A stranger's use of a connection.
type Deed = fn(TcpStream) -> Pin<Box<dyn Future<Output = TcpStream> + Send>>;

macro_rules! sends {
    ($($bytes:expr),*) => {
        |mut socket| Box::pin(async move {
            // The server has possibly closed the connection for another.
            let parts: &[&[u8]] = &[$(&$bytes[..]),*];
            let _ = socket.write_all(&parts.concat()).await;
            socket
        })
    };
}

const STRANGERS: [(&str, Deed); 7] = [
    ("silent", sends!()),
    ("half a head", sends!(b"GET /ping HTTP/1.1\r\nhost: l")),
    (
        "served",
        sends!(b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ),
    (
        "a request that waits",
        sends!(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ),
    ("half a preface", sends!(PREFACE[..9])),
    ("settings alone", sends!(PREFACE, SETTINGS)),
    (
        "a request of HTTP/2 that waits",
        sends!(PREFACE, SETTINGS, get(1, "/slow")),
    ),
];

#[tokio::test]
async fn strangers_keep_nobody_out() {
    for (name, deed) in STRANGERS {
        // The strangers use one address, or forty.
        for addresses in [1, 40] {
            let app =
                bounded(|serve| serve.max_connections(12).max_streamless_connections(8)).await;
            let mut user = app.open("/events").await;
            let mut strangers = Vec::new();
            for number in 0..40 {
                let address = [127, 0, 1, number % addresses];
                strangers.push(deed(from(&app, address).await).await);
                if number % 10 == 9 {
                    let mut new_client = app.open("/events").await;
                    app.manager
                        .all()
                        .publish(sse_core::Event::text("hello"))
                        .await
                        .unwrap();
                    for client in [&mut user, &mut new_client] {
                        while client.next_event_within(TIMEOUT).await.unwrap().data != "hello" {}
                    }
                }
            }
            kept(&app, [127, 0, 0, 1]).await;
            for socket in &strangers[..20] {
                expect_close(socket, name).await;
            }
        }
    }
}

#[tokio::test]
async fn one_address_evicts_its_own_connections() {
    for settings in [
        |serve: Serve<Site>| serve.max_streamless_connections_per_address(4),
        |serve: Serve<Site>| serve.max_streamless_connections(8),
        |serve: Serve<Site>| serve.max_connections(8),
    ] {
        let app = bounded(settings).await;
        let mut others = [
            kept(&app, [127, 0, 0, 2]).await,
            kept(&app, [127, 0, 0, 3]).await,
        ];
        let mut sockets = Vec::new();
        for _ in 0..30 {
            sockets.push(from(&app, [127, 0, 0, 9]).await);
        }
        expect_close(&sockets[20], "an older connection of the address").await;
        for other in &mut others {
            served(other).await;
        }
        assert!(!is_closed(&sockets[29]).await, "the newest stays");
    }
}

#[tokio::test]
async fn requests_in_flight_are_closed_last() {
    let app = bounded(|serve| serve.max_streamless_connections_per_address(4)).await;
    let mut waiting = Connection::over(from(&app, [127, 0, 0, 9]).await);
    waiting.get("/slow").await;
    app.request_arrived().await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(from(&app, [127, 0, 0, 9]).await);
    }
    for socket in &sockets[..16] {
        expect_close(socket, "idle").await;
    }
    app.site.gate.add_permits(1);
    assert!(waiting.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn used_connections_outlive_idle_ones() {
    let app = bounded(|serve| serve.max_streamless_connections_per_address(4)).await;
    let mut used = kept(&app, [127, 0, 0, 9]).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(from(&app, [127, 0, 0, 9]).await);
        served(&mut used).await;
    }
}

#[tokio::test]
async fn streams_are_not_closed_for_others() {
    for settings in [|serve: Serve<Site>| serve, Serve::without_reactor] {
        let app = bounded(|serve| {
            settings(
                serve
                    .max_streamless_connections(2)
                    .max_streamless_connections_per_address(1),
            )
        })
        .await;
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(app.open("/events").await);
        }
        let mut sockets = Vec::new();
        for _ in 0..20 {
            sockets.push(Connection::open(app.address).await);
        }
        app.manager
            .all()
            .publish(sse_core::Event::text("hello"))
            .await
            .unwrap();
        for stream in &mut streams {
            assert_eq!(
                stream.next_event_within(TIMEOUT).await.unwrap().data,
                "hello"
            );
        }
        assert_eq!(app.manager.stats().total_connections, 10);
    }
}

#[tokio::test]
async fn proxies_have_no_connection_limit() {
    let app = bounded(|serve| {
        serve
            .proxies(|address| address == Ipv4Addr::new(127, 0, 0, 7))
            .max_streamless_connections(20)
            .max_streamless_connections_per_address(2)
    })
    .await;
    let mut pool = Vec::new();
    for _ in 0..10 {
        pool.push(kept(&app, [127, 0, 0, 7]).await);
    }
    let mut sockets = Vec::new();
    for number in 0..40 {
        sockets.push(from(&app, [127, 0, 1, number]).await);
    }
    app.until(|app| app.connections() <= 20).await;
    for connection in &mut pool {
        served(connection).await;
    }
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
    // This connection was never accepted, so it ends with the server.
    let waits = Connection::open(app.address).await;
    app.stop();
    for client in &mut clients {
        assert_eq!(
            client.next_event_within(TIMEOUT).await.unwrap().event_type,
            "system"
        );
        client.expect_end().await.unwrap();
    }
    app.stopped().await;
    drop(waits);
}
