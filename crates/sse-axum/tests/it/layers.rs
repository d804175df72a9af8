//! Streams within the layers that apps have.

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::get};
use sse_axum::{Fallback, SseHandshake, SseResponse, TransportStatsHandle};
use sse_core::{DisconnectOptions, Event, EventStream, Manager, Target};
use sse_testkit::{Item, RawRequest};
use tokio::{net::TcpListener, time::sleep};
use tower_http::{
    compression::CompressionLayer,
    cors::CorsLayer,
    timeout::{ResponseBodyTimeoutLayer, TimeoutLayer},
    trace::TraceLayer,
};

const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_millis(200);

async fn serve(manager: &Manager) -> std::net::SocketAddr {
    serve_with(manager, &TransportStatsHandle::default()).await
}

async fn serve_with(manager: &Manager, transports: &TransportStatsHandle) -> std::net::SocketAddr {
    let streams = manager.clone();
    let events =
        async move |handshake: SseHandshake| SseResponse::from(streams.connect(handshake).unwrap());
    let one_off = async || {
        let quiet = futures_util::stream::pending::<Event>();
        sse_axum::event_stream(EventStream::new(quiet).heartbeat_interval(TIMEOUT * 2))
    };
    let streams = manager.clone();
    let body = async move |handshake: SseHandshake| {
        SseResponse::from(streams.connect(handshake).unwrap()).keep_body()
    };
    let streams = manager.clone();
    let timed =
        async move |handshake: SseHandshake| SseResponse::from(streams.connect(handshake).unwrap());
    let slow = async || std::future::pending::<()>().await;
    let router = Router::new()
        .route("/events", get(events))
        .route("/body", get(body))
        .route(
            "/timed",
            get(timed).layer(ResponseBodyTimeoutLayer::new(TIMEOUT)),
        )
        .route("/one-off", get(one_off))
        .route("/slow", get(slow))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            TIMEOUT,
        ))
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        sse_axum::serve(listener, router)
            .manager(manager)
            .transports(transports)
            .into_future(),
    );
    address
}

fn browser(address: std::net::SocketAddr, path: &str) -> RawRequest {
    RawRequest::get(address, path)
        .header("origin", "https://app.example")
        .header("accept-encoding", "gzip, deflate, br, zstd")
}

#[tokio::test]
async fn events_pass_all_layers_without_a_timeout() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager).await;
    let slow = browser(address, "/slow")
        .open()
        .await
        .unwrap()
        .head()
        .await
        .unwrap()
        .status;
    assert_eq!(slow, 408, "the timeout applies");

    let mut client = browser(address, "/events").open().await.unwrap();
    let head = client.head().await.unwrap().clone();
    assert_eq!(head.headers.get("access-control-allow-origin"), Some("*"));
    assert_eq!(head.headers.get("content-encoding"), None);
    assert_eq!(
        head.headers.get("cache-control"),
        Some("no-cache, no-transform")
    );
    assert_eq!(
        client
            .next_event_within(EVENT_TIMEOUT)
            .await
            .unwrap()
            .event_type,
        "connection"
    );
    for text in ["a", "b", "c", "d"] {
        // Each event waits for the previous one, for several of the layer's timeouts in total.
        sleep(TIMEOUT).await;
        manager.all().publish(Event::text(text)).await.unwrap();
        assert_eq!(
            client.next_event_within(EVENT_TIMEOUT).await.unwrap().data,
            text
        );
    }
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(
        client
            .next_event_within(EVENT_TIMEOUT)
            .await
            .unwrap()
            .event_type,
        "system"
    );
    client.expect_end().await.unwrap();
}

#[tokio::test]
async fn reactor_serves_streams_unless_opted_out() {
    let (manager, transports) = (
        Manager::builder().build().unwrap(),
        TransportStatsHandle::default(),
    );
    let address = serve_with(&manager, &transports).await;
    for path in ["/events", "/body", "/timed"] {
        let mut client = browser(address, path).open().await.unwrap();
        assert_eq!(
            client
                .next_event_within(EVENT_TIMEOUT)
                .await
                .unwrap()
                .event_type,
            "connection"
        );
    }
    let stats = transports.stats();
    assert_eq!(
        (stats.reactor.adopted, stats.bodies.total()),
        (1, 2),
        "{stats:?}"
    );
    assert_eq!(
        (
            stats.bodies.get(Fallback::OptedOut),
            stats.bodies.get(Fallback::Wrapped)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn disconnect_is_detected_through_all_layers() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager).await;
    let mut client = browser(address, "/events").open().await.unwrap();
    client.next_event_within(EVENT_TIMEOUT).await.unwrap();
    drop(client);
    let disconnected = async {
        while manager.stats().counters.disconnected.get("client_left") == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, disconnected)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_off_stream_heartbeats_pass_all_layers() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager).await;
    let mut client = browser(address, "/one-off").send().await.unwrap();
    for _ in 0..2 {
        let item = tokio::time::timeout(EVENT_TIMEOUT, client.next_item())
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(item, Item::Comment(_)), "{item:?}");
    }
}
