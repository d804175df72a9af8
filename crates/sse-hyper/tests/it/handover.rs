//! Streams that leave hyper for the reactor, without a visible difference.

use std::time::Duration;

use sse_core::{DisconnectOptions, DisconnectReason, Event, Manager, Target};
use sse_hyper::{Fallback, TransportStatsHandle};
use sse_testkit::{End, HttpVersion, RawClient, RawRequest};

use crate::{
    app::{App, LARGE, TIMEOUT},
    connection::Connection,
};

async fn app() -> App {
    App::start(Manager::builder()).await
}

async fn open(request: RawRequest) -> RawClient {
    let mut client = request.open().await.unwrap();
    let hello = client.next_event_within(TIMEOUT).await.unwrap();
    assert_eq!(hello.event_type, "connection");
    client
}

/// Checks that a stream works from its first event to its clean end.
async fn works(app: &App, client: &mut RawClient) {
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    app.manager
        .all()
        .publish(Event::text("through"))
        .await
        .unwrap();
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().data,
        "through"
    );
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "system"
    );
    client.expect_end().await.unwrap();
}

fn adopted(app: &App) -> u64 {
    app.transports().reactor.adopted
}

/// Returns the reason why the only stream so far stayed a body.
fn fallback(app: &App) -> Fallback {
    let transports = app.transports();
    assert_eq!(
        (transports.reactor.adopted, transports.bodies.total()),
        (0, 1),
        "{transports:?}"
    );
    transports
        .bodies
        .iter()
        .find(|(_, count)| *count == 1)
        .unwrap()
        .0
}

#[tokio::test]
async fn stream_leaves_hyper_and_closes_its_connection() {
    let app = app().await;
    let mut client = open(RawRequest::get(app.address, "/events")).await;
    let head = client.head().await.unwrap().clone();
    assert_eq!(head.headers.get("connection"), Some("close"));
    assert_eq!(head.headers.get_all("date").count(), 1);
    works(&app, &mut client).await;
    tokio::time::timeout(TIMEOUT, client.expect_close())
        .await
        .unwrap()
        .unwrap();
    let stats = app.transports().reactor;
    assert_eq!(
        (stats.adopted, stats.failed, stats.resets, stats.panics),
        (1, 0, 0, 0)
    );
    assert!(stats.bytes > 500, "{stats:?}");
    assert_eq!(app.transports().bodies.total(), 0);
    app.until(|app| app.connections() == 0).await;
}

#[tokio::test]
async fn server_can_disable_the_reactor() {
    let app = App::start_with_bodies(Manager::builder()).await;
    let mut client = open(RawRequest::get(app.address, "/events")).await;
    works(&app, &mut client).await;
    assert_eq!(fallback(&app), Fallback::Off);
    assert_eq!(
        app.transports().reactor.threads,
        0,
        "the reactor was started"
    );
}

#[tokio::test]
async fn reactor_serves_http_1_0_and_closing_clients() {
    let app = app().await;
    let old = RawRequest::get(app.address, "/events").version(HttpVersion::Http10);
    let mut client = open(old.clone()).await;
    let head = client.head().await.unwrap().clone();
    assert!(!head.is_http11);
    assert_eq!(head.headers.get("transfer-encoding"), None);
    assert_eq!(head.headers.get("connection"), Some("close"));
    works(&app, &mut client).await;
    let mut client = open(old.header("connection", "keep-alive")).await;
    assert_eq!(
        client.head().await.unwrap().headers.get("connection"),
        Some("close")
    );
    works(&app, &mut client).await;
    let closing = RawRequest::get(app.address, "/events").header("connection", "close");
    let mut client = open(closing).await;
    assert_eq!(
        client
            .head()
            .await
            .unwrap()
            .headers
            .get("transfer-encoding"),
        Some("chunked")
    );
    works(&app, &mut client).await;
    assert_eq!(adopted(&app), 3);
}

#[tokio::test]
async fn middleware_fields_are_kept_by_the_reactor() {
    let app = app().await;
    let mut client = open(RawRequest::get(app.address, "/cookies")).await;
    let head = client.head().await.unwrap().clone();
    let cookies: Vec<_> = head.headers.get_all("set-cookie").collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; HttpOnly"]);
    assert_eq!(
        head.headers.get_all("date").collect::<Vec<_>>(),
        ["Tue, 15 Nov 1994 08:12:31 GMT"]
    );
    assert_eq!(
        head.headers.get_all("connection").collect::<Vec<_>>(),
        ["close"]
    );
    works(&app, &mut client).await;
    let mut client = open(RawRequest::get(app.address, "/layered")).await;
    let head = client.head().await.unwrap();
    assert_eq!(
        (head.headers.get("x-layer"), head.headers.get("vary")),
        (Some("kept"), Some("origin"))
    );
    works(&app, &mut client).await;
    assert_eq!(adopted(&app), 2);
}

/// The two heads differ only in the fields of the connection.
#[tokio::test]
async fn head_matches_that_of_hyper() {
    let (with, without) = (
        app().await,
        App::start_with_bodies(Manager::builder()).await,
    );
    for path in ["/events", "/layered", "/cookies"] {
        for version in ["1.0", "1.1"] {
            let mut heads = Vec::new();
            for app in [&with, &without] {
                let mut connection = Connection::open(app.address).await;
                connection
                    .send(&format!(
                        "GET {path} HTTP/{version}\r\nhost: x\r\nconnection: close\r\n\r\n"
                    ))
                    .await;
                let head = connection.head().await;
                let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
                lines.retain(|line| !line.starts_with("date:") && !line.starts_with("connection:"));
                lines[1..].sort();
                heads.push(lines);
            }
            assert_eq!(heads[0], heads[1], "{path} {version}");
        }
    }
}

#[tokio::test]
async fn a_head_longer_than_the_socket_takes_arrives_whole() {
    let app = App::start_narrow(Manager::builder(), |serve| serve).await;
    let request = RawRequest::get(app.address, "/large-head").receive_buffer(4096);
    let mut connection = Connection::open(app.address).await;
    connection.get("/large-head").await;
    let head = connection.head().await;
    assert!(head.len() > 256 << 10, "{}", head.len());
    assert_eq!(head.matches("x-large-").count(), 32);
    drop((connection, request));
    app.until(|app| app.connections() == 0).await;
    assert_eq!(adopted(&app), 1);
}

#[tokio::test]
async fn replaced_body_lives_as_long_as_the_stream() {
    let app = app().await;
    let mut client = open(RawRequest::get(app.address, "/guarded")).await;
    assert_eq!((app.guards(), adopted(&app)), (1, 1));
    works(&app, &mut client).await;
    app.until(|app| app.guards() == 0).await;
    let client = open(RawRequest::get(app.address, "/guarded")).await;
    assert_eq!(app.guards(), 1);
    drop(client);
    app.until(|app| app.guards() == 0).await;
    assert_eq!(
        app.departures(2).await,
        [DisconnectReason::Kicked, DisconnectReason::ClientLeft]
    );
}

#[tokio::test]
async fn dropping_the_body_ends_its_stream() {
    let app = app().await;
    let answer = sse_testkit::request(app.address, "GET", "/replaced", &[], "")
        .await
        .unwrap();
    assert_eq!(answer.text().unwrap(), "instead");
    assert_eq!(app.departures(1).await, [DisconnectReason::ClientLeft]);
    assert_eq!((adopted(&app), app.transports().bodies.total()), (0, 0));
}

#[tokio::test]
async fn streams_that_need_a_body_stay_with_hyper() {
    for (path, reason) in [
        ("/opted-out", Fallback::OptedOut),
        ("/encoded", Fallback::Encoded),
        ("/begun", Fallback::Polled),
    ] {
        let app = app().await;
        let mut client = open(RawRequest::get(app.address, path)).await;
        works(&app, &mut client).await;
        assert_eq!(fallback(&app), reason, "{path}");
    }
}

#[tokio::test]
async fn wrapping_bodies_keep_their_effect() {
    for path in ["/limited", "/streamed"] {
        let app = app().await;
        let mut client = open(RawRequest::get(app.address, path)).await;
        works(&app, &mut client).await;
        assert_eq!(fallback(&app), Fallback::Wrapped, "{path}");
    }
    let app = app().await;
    let mut connection = Connection::open(app.address).await;
    connection.get("/shouted").await;
    connection.head().await;
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    let events = connection.events().await;
    assert!(events.is_empty(), "no field has such a name: {events:?}");
    assert_eq!(fallback(&app), Fallback::Wrapped);
}

#[tokio::test]
async fn requests_with_body_or_upgrade_stay_with_hyper() {
    let bodied = "content-length: 2\r\n\r\nab";
    let upgrade = "connection: upgrade\r\nupgrade: h2c\r\n\r\n";
    for rest in [bodied, upgrade] {
        let app = app().await;
        let mut connection = Connection::open(app.address).await;
        connection
            .send(&format!("GET /events HTTP/1.1\r\nhost: x\r\n{rest}"))
            .await;
        assert!(connection.head().await.starts_with("HTTP/1.1 200 "));
        app.until(|app| app.manager.stats().total_connections == 1)
            .await;
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await;
        assert_eq!(connection.events().await.len(), 2);
        assert_eq!(fallback(&app), Fallback::Request, "{rest}");
    }
}

#[tokio::test]
async fn empty_body_counts_as_no_body() {
    let app = app().await;
    let request = RawRequest::get(app.address, "/events").header("content-length", "0");
    works(&app, &mut open(request).await).await;
    assert_eq!(adopted(&app), 1);
}

/// The bytes are sent with the request, or while its response is being created.
#[tokio::test]
async fn pipelined_request_is_answered_after_the_stream() {
    let ping = "GET /ping HTTP/1.1\r\nhost: x\r\n\r\n";
    for path in ["/events", "/late"] {
        let app = app().await;
        let mut connection = Connection::open(app.address).await;
        if path == "/late" {
            connection.get(path).await;
            app.request_arrived().await;
            connection.send(ping).await;
            // hyper reads the bytes before the response exists.
            tokio::time::sleep(Duration::from_millis(100)).await;
            app.site.gate.add_permits(1);
        } else {
            connection
                .send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n{ping}"))
                .await;
        }
        assert!(connection.head().await.contains("text/event-stream"));
        app.until(|app| app.manager.stats().total_connections == 1)
            .await;
        app.manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await;
        assert_eq!(connection.events().await.len(), 2, "{path}");
        assert!(
            connection.head().await.starts_with("HTTP/1.1 200 "),
            "{path}"
        );
        assert_eq!(connection.exactly(4).await, b"pong");
        assert_eq!(fallback(&app), Fallback::Pipelined, "{path}");
    }
}

#[tokio::test]
async fn used_connection_is_handed_over() {
    let app = app().await;
    let mut connection = Connection::open(app.address).await;
    for _ in 0..3 {
        connection.get("/ping").await;
        connection.head().await;
        assert_eq!(connection.exactly(4).await, b"pong");
    }
    connection
        .send("POST /ping HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    connection.head().await;
    assert_eq!(connection.exactly(4).await, b"pong");
    connection.get("/events").await;
    assert!(connection.head().await.contains("text/event-stream"));
    app.until(|app| adopted(app) == 1).await;
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(connection.events().await.len(), 2);
    assert_eq!(connection.rest().await, b"");
}

/// The first response is larger than what the sockets take. The second request is sent when the
/// first response is half read.
#[tokio::test]
async fn earlier_response_is_complete_before_handover() {
    let app = app().await;
    let mut connection = Connection::open(app.address).await;
    connection.get("/large").await;
    connection.head().await;
    let mut left = LARGE;
    left -= connection.exactly(1 << 20).await.len();
    connection.get("/events").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(adopted(&app), 0, "the earlier answer is being written");
    while left > 0 {
        left -= connection.exactly(left.min(1 << 20)).await.len();
    }
    assert!(connection.head().await.contains("text/event-stream"));
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    app.manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(connection.events().await.len(), 2);
    assert_eq!(
        app.transports().reactor.adopted + app.transports().bodies.total(),
        1
    );
}

#[tokio::test]
async fn early_disconnect_leaves_nothing() {
    let app = app().await;
    let late = RawRequest::get(app.address, "/late").send().await.unwrap();
    app.request_arrived().await;
    late.reset().unwrap();
    app.site.gate.add_permits(1);
    app.until(|app| app.connections() == 0).await;
    assert_eq!(app.manager.stats().total_connections, 0);
}

#[tokio::test]
async fn adopted_connections_count_toward_the_limit() {
    let app = App::start_with(Manager::builder(), |serve| serve.max_connections(1)).await;
    let first = app.open("/events").await;
    app.until(|app| adopted(app) == 1).await;
    let second = RawRequest::get(app.address, "/events").open();
    let mut second = std::pin::pin!(second);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(
        early.is_err(),
        "the second connection was served although the first is open: {early:?}"
    );
    drop(first);
    tokio::time::timeout(TIMEOUT, second)
        .await
        .unwrap()
        .unwrap();
}

/// The app has a manager that the server does not know. The manager's stream remains at the
/// deadline.
#[tokio::test]
async fn foreign_managers_stream_ends_at_the_deadline() {
    let other = Manager::builder().build().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tower::service_fn({
        let other = other.clone();
        move |request: http::Request<hyper::body::Incoming>| {
            let session = other
                .connect(sse_hyper::handshake(&request.into_parts().0))
                .unwrap();
            std::future::ready(Ok::<_, std::convert::Infallible>(sse_hyper::response(
                session,
            )))
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let transports = TransportStatsHandle::default();
    let server = sse_hyper::serve(listener, service)
        .transports(&transports)
        .shutdown_options(sse_core::ShutdownOptions::within(Duration::from_millis(
            200,
        )))
        .with_graceful_shutdown(async {
            let _ = stopped.await;
        });
    let server = tokio::spawn(server.into_future());
    let mut client = RawRequest::get(address, "/events").open().await.unwrap();
    client.next_event_within(TIMEOUT).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(TIMEOUT, server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(
        tokio::time::timeout(TIMEOUT, client.end())
            .await
            .unwrap()
            .unwrap(),
        End::Reset
    );
    assert_eq!(
        (
            transports.stats().reactor.resets,
            other.stats().total_connections
        ),
        (1, 0)
    );
}

/// The stream ends as a task of its runtime would.
#[test]
fn a_stream_ends_with_its_runtime() {
    let manager = Manager::builder().build().unwrap();
    let served = tokio::runtime::Runtime::new().unwrap();
    let address = served.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manager = manager.clone();
        let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let session = manager
                .connect(sse_hyper::handshake(&request.into_parts().0))
                .unwrap();
            std::future::ready(Ok::<_, std::convert::Infallible>(sse_hyper::response(
                session,
            )))
        });
        tokio::spawn(sse_hyper::serve(listener, service).into_future());
        address
    });
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = RawRequest::get(address, "/events").open().await.unwrap();
        client.next_event_within(TIMEOUT).await.unwrap();
        served.shutdown_background();
        assert_eq!(
            tokio::time::timeout(TIMEOUT, client.end())
                .await
                .unwrap()
                .unwrap(),
            End::Cut
        );
    });
    assert_eq!(manager.stats().total_connections, 0);
}

/// Hooks can do everything that they can do in a task.
#[tokio::test]
async fn hooks_run_in_the_context_of_the_servers_runtime() {
    struct Spawning(tokio::sync::mpsc::UnboundedSender<DisconnectReason>);
    impl sse_core::hooks::Hooks for Spawning {
        fn disconnected(
            &self,
            _: &sse_core::hooks::StreamInfo,
            departure: &sse_core::hooks::Disconnection,
        ) {
            let (sender, reason) = (self.0.clone(), departure.reason);
            tokio::spawn(async move { sender.send(reason) });
        }
    }
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let manager = Manager::builder().hooks(Spawning(sender)).build().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let session = manager
            .connect(sse_hyper::handshake(&request.into_parts().0))
            .unwrap();
        std::future::ready(Ok::<_, std::convert::Infallible>(sse_hyper::response(
            session,
        )))
    });
    let transports = TransportStatsHandle::default();
    let server = sse_hyper::serve(listener, service).transports(&transports);
    tokio::spawn(server.into_future());
    drop(RawRequest::get(address, "/events").open().await.unwrap());
    let reason = tokio::time::timeout(TIMEOUT, receiver.recv())
        .await
        .unwrap();
    assert_eq!(reason, Some(DisconnectReason::ClientLeft));
    assert_eq!(
        (
            transports.stats().reactor.adopted,
            transports.stats().reactor.panics
        ),
        (1, 0)
    );
}
