//! An app as a user would write it, on a port of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State},
    routing::get,
};
use sse_axum::{Refusal, SseHandshake, SseResponse};
use sse_core::{Builder, Departure, Drain, Hooks, Manager, Reason, StreamInfo};
use sse_testkit::{RawClient, RawRequest};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Long enough for a busy machine; tests that wait for it have failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct App {
    pub(crate) manager: Manager,
    pub(crate) address: SocketAddr,
    departures: Departures,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone, Default)]
struct Departures(Arc<Mutex<Vec<Reason>>>);

impl Hooks for Departures {
    fn disconnected(&self, _: &StreamInfo, departure: &Departure) {
        self.0.lock().unwrap().push(departure.reason);
    }
}

#[derive(serde::Deserialize)]
struct Who {
    user: Option<String>,
}

async fn events(
    handshake: SseHandshake,
    Query(who): Query<Who>,
    State(sse): State<Manager>,
) -> Result<SseResponse, Refusal> {
    let handshake = match who.user {
        Some(user) => handshake.user(user),
        None => handshake,
    };
    Ok(sse.connect(handshake)?.into())
}

impl App {
    pub(crate) async fn start(builder: Builder) -> Self {
        Self::start_with(builder, Drain::default()).await
    }

    pub(crate) async fn start_with(builder: Builder, drain: Drain) -> Self {
        let departures = Departures::default();
        let manager = builder.hooks(departures.clone()).access(sse_core::Open).build().unwrap();
        let router = Router::new()
            .route("/api/sse", get(events))
            .route("/ping", get(async || "pong"))
            .with_state(manager.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = sse_axum::serve(listener, router).manager(&manager).drain(drain).with_graceful_shutdown(
            async move {
                let _ = stopped.await;
            },
        );
        let server = tokio::spawn(server.into_future());
        Self { manager, address, departures, stop: Some(stop), server }
    }

    /// Opens a stream and reads its first event.
    pub(crate) async fn open(&self, path: &str) -> RawClient {
        let mut client = RawRequest::get(self.address, path).open().await.unwrap();
        let hello = client.next_event_within(PATIENCE).await.unwrap();
        assert_eq!(hello.event_type, "connection");
        client
    }

    pub(crate) async fn until(&self, mut reached: impl FnMut(&Manager) -> bool) {
        let all = async {
            while !reached(&self.manager) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let stats = || format!("not reached: {:?}", self.manager.stats());
        tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{}", stats()));
    }

    pub(crate) async fn departures(&self, count: usize) -> Vec<Reason> {
        self.until(|_| self.departures.0.lock().unwrap().len() >= count).await;
        self.departures.0.lock().unwrap().clone()
    }

    /// Stops the server, as a signal would.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn stopped(self) {
        tokio::time::timeout(PATIENCE, self.server).await.unwrap().unwrap().unwrap();
        assert_eq!(self.manager.shutdown(Drain::within(Duration::ZERO)).await.left, 0);
    }
}
