//! Clients that close, on prepared servers and on an unprepared server.

use std::{
    fmt,
    future::{Future, pending},
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory};
use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{AppConfig, ServerHandle, Service},
    web::{self, Data, ServiceConfig},
};
use sse_actix::{Rejection, SocketOptions, SseHandshake, SseResponse, prepare};
use sse_core::{Event, Manager, ManagerBuilder, ShutdownOptions};
use sse_testkit::{RawClient, RawRequest};
use tokio::time::{sleep, timeout};
use tracing::Level;

const TIMEOUT: Duration = Duration::from_secs(60);
const OFTEN: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

async fn events(handshake: SseHandshake, sse: Data<Manager>) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

fn routes(manager: &Manager) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let data = Data::new(manager.clone());
    move |app| {
        app.app_data(data.clone()).route("/events", web::to(events));
    }
}

/// Runs a server as an app without [`sse_actix::serve`] does.
fn run<F, I, S, B>(server: HttpServer<F, I, S, B>) -> (SocketAddr, ServerHandle)
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request> + 'static,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let server = server
        .workers(2)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

fn serve(manager: &Manager) -> SocketAddr {
    let routes = routes(manager);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = HttpServer::new(move || App::new().configure(&routes)).workers(2);
    let server = sse_actix::serve(listener, server)
        .manager(manager)
        .with_graceful_shutdown(pending());
    actix_web::rt::spawn(server.into_future());
    address
}

/// Returns a manager whose heartbeats and timeouts detect no client within the duration of a test.
fn quiet() -> ManagerBuilder {
    Manager::builder()
        .heartbeat_interval(NEVER)
        .connection_timeout(NEVER)
}

async fn connect(request: RawRequest) -> RawClient {
    let mut client = request.open().await.unwrap();
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    client
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(TIMEOUT, future)
        .await
        .expect("the future did not resolve in time")
}

async fn until_left(manager: &Manager, clients: u64) {
    within(async {
        while manager.stats().counters.disconnected.get("client_left") < clients {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// The log output.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn warnings() -> usize {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| line.contains("half-closed"))
        .count()
}

/// The only test with an unprepared server, because the process warns once, whichever test runs
/// first.
#[actix_web::test]
async fn unprepared_server_warns_once_and_uses_heartbeats() {
    // The workers run on their own threads.
    tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_writer(|| Log)
        .init();
    let manager = quiet().build().unwrap();
    connect(RawRequest::get(serve(&manager), "/events")).await;
    assert_eq!(warnings(), 0, "a prepared server warned");

    let manager = Manager::builder()
        .heartbeat_interval(OFTEN)
        .build()
        .unwrap();
    let routes = routes(&manager);
    let (address, _) = run(HttpServer::new(move || App::new().configure(&routes)));
    let mut dropped = connect(RawRequest::get(address, "/events")).await;
    assert_eq!(warnings(), 1);
    let mut half = connect(RawRequest::get(address, "/events")).await;
    assert_eq!(warnings(), 1, "the second stream, on the second worker");

    half.half_close().await.unwrap();
    // This heartbeat is taken, so only a later one can detect that the client has disconnected.
    assert_eq!(
        dropped.next_event_within(TIMEOUT).await.unwrap().event_type,
        "heartbeat"
    );
    let before = manager.stats().counters.heartbeats;
    drop(dropped);
    until_left(&manager, 1).await;
    assert!(
        manager.stats().counters.heartbeats > before,
        "no heartbeat was needed"
    );
    // Actix keeps a client that has closed only its half, and this client continues to read.
    let receipt = manager.all().publish(Event::text("still")).await.unwrap();
    assert_eq!(receipt.matched, 1);
    while half.next_event_within(TIMEOUT).await.unwrap().data != "still" {}
    drop(half);
    until_left(&manager, 2).await;
}

#[actix_web::test]
async fn serve_detects_a_close_immediately() {
    let manager = quiet().build().unwrap();
    let address = serve(&manager);
    drop(connect(RawRequest::get(address, "/events")).await);
    until_left(&manager, 1).await;
    let mut half = connect(RawRequest::get(address, "/events")).await;
    half.half_close().await.unwrap();
    until_left(&manager, 2).await;
    assert_eq!(manager.stats().counters.heartbeats, 0);
}

#[actix_web::test]
async fn prepared_server_detects_a_close_immediately() {
    let manager = quiet().build().unwrap();
    let routes = routes(&manager);
    let server = HttpServer::new(move || App::new().configure(&routes));
    let (address, _) = run(prepare(server, SocketOptions::default()));
    drop(connect(RawRequest::get(address, "/events")).await);
    until_left(&manager, 1).await;
    let mut half = connect(RawRequest::get(address, "/events")).await;
    half.half_close().await.unwrap();
    until_left(&manager, 2).await;
    assert_eq!(manager.stats().counters.heartbeats, 0);
}

#[cfg(target_os = "linux")]
#[actix_web::test]
async fn prepared_server_detects_stalled_clients() {
    let manager = quiet().build().unwrap();
    let routes = routes(&manager);
    let server = HttpServer::new(move || App::new().configure(&routes));
    let (address, _) = run(prepare(
        server,
        SocketOptions::default().user_timeout(OFTEN),
    ));
    let stalled = connect(RawRequest::get(address, "/events").receive_buffer(4096)).await;
    manager
        .all()
        .publish(Event::text("x".repeat(256 << 10)))
        .await
        .unwrap();
    // The manager waits for a day, but the system does not.
    until_left(&manager, 1).await;
    drop(stalled);
}

#[actix_web::test]
async fn preparing_replaces_an_earlier_callback() {
    let manager = quiet().build().unwrap();
    let routes = routes(&manager);
    let called = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&called);
    let server = HttpServer::new(move || App::new().configure(&routes))
        .on_connect(move |_, _| flag.store(true, Ordering::SeqCst));
    let (address, _) = run(prepare(server, SocketOptions::default()));
    connect(RawRequest::get(address, "/events")).await;
    assert!(!called.load(Ordering::SeqCst));
}

#[actix_web::test]
async fn prepared_server_stops_after_its_streams_end() {
    let manager = quiet().build().unwrap();
    let routes = routes(&manager);
    let server =
        HttpServer::new(move || App::new().configure(&routes)).shutdown_timeout(NEVER.as_secs());
    let (address, handle) = run(prepare(server, SocketOptions::default()));
    let mut client = connect(RawRequest::get(address, "/events")).await;
    let ((), _) = within(async {
        tokio::join!(
            handle.stop(true),
            manager.shutdown(ShutdownOptions::default())
        )
    })
    .await;
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "system"
    );
    within(client.expect_end()).await.unwrap();
}
