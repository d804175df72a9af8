//! Streams within the middleware that apps have.

use std::{
    future::pending,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_cors::Cors;
use actix_web::{
    App, HttpServer,
    middleware::{Compress, Logger},
    web::{self, Data},
};
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_core::{DisconnectOptions, Event, Manager, Target};
use sse_testkit::RawRequest;
use tokio::time::{sleep, timeout};

const TIMEOUT: Duration = Duration::from_secs(60);
const ORIGIN: &str = "https://app.example";
const PROSE: &str = include_str!("../../README.md");

async fn events(handshake: SseHandshake, sse: Data<Manager>) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

fn cors() -> Cors {
    let cors = Cors::default()
        .allowed_origin(ORIGIN)
        .supports_credentials();
    cors.allowed_methods(["GET"])
        .allowed_headers(["last-event-id", "cache-control"])
}

fn serve(manager: &Manager) -> SocketAddr {
    let data = Data::new(manager.clone());
    let app = move || {
        App::new()
            .app_data(data.clone())
            .route("/events", web::to(events))
            .route("/prose", web::get().to(async || PROSE))
            .wrap(Compress::default())
            .wrap(cors())
            .wrap(Logger::default())
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = sse_actix::serve(listener, HttpServer::new(app).workers(1)).manager(manager);
    actix_web::rt::spawn(server.with_graceful_shutdown(pending()).into_future());
    address
}

/// Creates the request of a page of another origin that sends its cookies.
fn browser(address: SocketAddr, method: &str, path: &str) -> RawRequest {
    RawRequest::new(address, method, path)
        .header("accept", "text/event-stream")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("origin", ORIGIN)
}

#[actix_web::test]
async fn events_pass_all_layers_immediately() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager);
    let mut prose = browser(address, "GET", "/prose").open().await.unwrap();
    let coding = prose
        .head()
        .await
        .unwrap()
        .headers
        .get("content-encoding")
        .map(String::from);
    assert!(
        coding.is_some_and(|coding| coding != "identity"),
        "the response is compressed"
    );

    let mut client = browser(address, "GET", "/events").open().await.unwrap();
    let headers = client.head().await.unwrap().headers.clone();
    assert_eq!(headers.get("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(
        headers.get("access-control-allow-credentials"),
        Some("true")
    );
    assert!(
        matches!(headers.get("content-encoding"), None | Some("identity")),
        "{headers:?}"
    );
    assert_eq!(headers.get("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    for text in ["a", "b", "c", "d"] {
        // Each event is published after the previous one has arrived.
        manager.all().publish(Event::text(text)).await.unwrap();
        assert_eq!(client.next_event_within(TIMEOUT).await.unwrap().data, text);
    }
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "system"
    );
    timeout(TIMEOUT, client.expect_end())
        .await
        .unwrap()
        .unwrap();
}

#[actix_web::test]
async fn cross_origin_pages_can_read_a_rejection() {
    let manager = Manager::builder().max_connections(1).build().unwrap();
    let address = serve(&manager);
    let _first = browser(address, "GET", "/events").open().await.unwrap();
    // The requests of an `EventSource`, and of a client that understands statuses.
    let event_source = browser(address, "GET", "/events");
    let other = browser(address, "GET", "/events").header("Accept", "*/*");
    for (request, status) in [(event_source, 200), (other, 503)] {
        let mut second = request.open().await.unwrap();
        let head = second.head().await.unwrap();
        assert_eq!(head.status, status);
        assert_eq!(head.headers.get("retry-after").is_some(), status == 503);
        assert_eq!(
            head.headers.get("access-control-allow-origin"),
            Some(ORIGIN)
        );
        assert_eq!(
            head.headers.get("access-control-allow-credentials"),
            Some("true")
        );
    }
}

#[actix_web::test]
async fn preflight_is_answered_before_the_manager() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager);
    let ask = |header| {
        browser(address, "OPTIONS", "/events")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", header)
            .open()
    };
    let mut allowed = ask("last-event-id").await.unwrap();
    let head = allowed.head().await.unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(
        head.headers.get("access-control-allow-origin"),
        Some(ORIGIN)
    );
    assert_eq!(
        head.headers.get("access-control-allow-methods"),
        Some("GET")
    );
    let headers = head.headers.get("access-control-allow-headers").unwrap();
    assert!(
        headers.to_ascii_lowercase().contains("last-event-id"),
        "{headers}"
    );
    assert_eq!(
        ask("x-other").await.unwrap().head().await.unwrap().status,
        400
    );

    let counters = manager.stats().counters;
    assert_eq!((counters.connected, counters.refused.total()), (0, 0));
    // Without these headers, the request is no preflight, and the manager responds to it.
    let mut plain = browser(address, "OPTIONS", "/events").open().await.unwrap();
    assert_eq!(plain.head().await.unwrap().status, 405);
    assert_eq!(manager.stats().counters.refused.total(), 1);
}

#[actix_web::test]
async fn disconnect_is_detected_through_all_layers() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager);
    let mut client = browser(address, "GET", "/events").open().await.unwrap();
    client.next_event_within(TIMEOUT).await.unwrap();
    drop(client);
    let disconnected = async {
        while manager.stats().counters.disconnected.get("client_left") == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(TIMEOUT, disconnected).await.unwrap();
}
