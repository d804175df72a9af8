//! The app under test, from the side of a rule.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use sse_core::{
    DisconnectReason, Event, Handshake, Manager, ShutdownOptions,
    hooks::{Disconnection, Hooks, StreamInfo},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::adapter::test_app::{AppRecord, Stop, TestApp};
use crate::{
    client::RawClient,
    decoder::Decoded,
    request::RawRequest,
    response::{self, Response},
};

/// Long enough for a busy machine; a rule that reaches this timeout is broken.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The app under test. A drop stops the server, so that a failed rule leaves nothing running.
#[derive(Debug)]
pub(crate) struct RunningApp {
    pub(crate) manager: Manager,
    pub(crate) address: SocketAddr,
    departures: Departures,
    record: Arc<AppRecord>,
    answers: mpsc::UnboundedReceiver<mpsc::Sender<io::Result<Event>>>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

/// The reasons why streams ended, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Departures(Arc<Mutex<Vec<DisconnectReason>>>);

impl Departures {
    fn list(&self) -> Vec<DisconnectReason> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Hooks for Departures {
    fn disconnected(&self, _: &StreamInfo, departure: &Disconnection) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(departure.reason);
    }
}

impl RunningApp {
    pub(crate) fn start(
        serve: fn(TcpListener, TestApp, Stop) -> io::Result<()>,
        listener: TcpListener,
        manager: Manager,
        departures: Departures,
        drain: ShutdownOptions,
    ) -> Self {
        let address = listener.local_addr().expect("the address of the listener");
        let (stop, stopped) = oneshot::channel();
        let (app, answers) = TestApp::new(manager.clone(), drain);
        let record = app.record();
        let server = std::thread::spawn(move || serve(listener, app, Stop(stopped)));
        Self {
            manager,
            address,
            departures,
            record,
            answers,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn get(&self, path: &str) -> RawRequest {
        RawRequest::get(self.address, path)
    }

    /// Opens a stream and reads its first event.
    pub(crate) async fn open(&self, path: &str) -> RawClient {
        self.greeted(self.get(path)).await
    }

    /// Sends a request for a stream and reads its first event.
    pub(crate) async fn greeted(&self, request: RawRequest) -> RawClient {
        let mut client = timeout(TIMEOUT, request.open())
            .await
            .expect("an answer")
            .expect("an answer");
        let status = client.head().await.expect("a head").status;
        assert_eq!(status, 200, "a stream is accepted");
        assert_eq!(
            next(&mut client).await.event_type,
            "connection",
            "the first event"
        );
        client
    }

    /// Sends a request whose response is read whole. Fails at once, without a wait, if the response
    /// is a stream.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let answer = async {
            let mut client = response::prepare(self.address, method, path, headers, body)
                .open()
                .await?;
            let is_stream = method != "HEAD" && client.head().await?.expect_stream().is_ok();
            assert!(!is_stream, "{method} {path} is answered with a stream");
            response::read(client).await
        };
        let answer = timeout(TIMEOUT, answer).await.expect("an answer in time");
        answer.unwrap_or_else(|error| panic!("{method} {path} is answered: {error}"))
    }

    /// Returns the sending end of the latest one-off stream.
    pub(crate) async fn answer(&mut self) -> mpsc::Sender<io::Result<Event>> {
        timeout(TIMEOUT, self.answers.recv())
            .await
            .expect("a one-off stream")
            .expect("a one-off stream")
    }

    pub(crate) async fn until(&self, what: &str, mut reached: impl FnMut(&Manager) -> bool) {
        let all = async {
            while !reached(&self.manager) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(TIMEOUT, all).await.is_err() {
            panic!(
                "timed out while waiting for: {what}: {:?}, departures {:?}",
                self.manager.stats(),
                self.departures.list()
            );
        }
    }

    /// Waits until `count` streams are live.
    pub(crate) async fn live(&self, count: usize) {
        let what = format!("{count} live streams");
        self.until(&what, |manager| manager.stats().total_connections == count)
            .await;
    }

    /// Returns the reasons why streams ended, once at least `count` have ended.
    pub(crate) async fn departures(&self, count: usize) -> Vec<DisconnectReason> {
        self.until(&format!("{count} departures"), |_| {
            self.departures.list().len() >= count
        })
        .await;
        self.departures.list()
    }

    /// Returns the adapter's handshake of the latest request for a stream.
    pub(crate) fn handshake(&self) -> Handshake {
        self.record
            .handshakes()
            .last()
            .cloned()
            .expect("a handshake")
    }

    pub(crate) async fn publish(&self, text: &str) -> usize {
        self.manager
            .all()
            .publish(Event::text(text))
            .await
            .expect("an event to all")
            .matched
    }

    /// Makes the server stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops the server if it was not stopped, and checks that it ends without an error and with
    /// nothing left.
    pub(crate) async fn finish(mut self) {
        self.stop();
        let ended = async {
            while !self.server.is_finished() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(TIMEOUT, ended).await.is_err() {
            panic!("the server does not shut down: {:?}", self.manager.stats());
        }
        match self.server.join() {
            Ok(result) => result.expect("the server ends without an error"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        let left = || {
            let stats = self.manager.stats();
            (stats.total_connections, stats.unique_users, stats.ending)
        };
        // Threads of a server may still be about to drop their handles.
        let nothing = async {
            while left() != (0, 0, 0) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = timeout(TIMEOUT, nothing).await;
        assert_eq!(
            left(),
            (0, 0, 0),
            "connections, users or ending streams are left"
        );
    }
}

/// Returns the next event.
pub(crate) async fn next(client: &mut RawClient) -> Decoded {
    client
        .next_event_within(TIMEOUT)
        .await
        .unwrap_or_else(|error| panic!("no event arrived: {error}"))
}

/// Returns the data of the next event.
pub(crate) async fn next_data(client: &mut RawClient) -> String {
    next(client).await.data
}

/// Expects a system event of this name as the next event, and returns its data.
pub(crate) async fn expect_system(client: &mut RawClient, name: &str) -> Value {
    let event = next(client).await;
    assert_eq!(event.event_type, "system", "{event:?}");
    let mut data = json(&event);
    assert_eq!(data["event"], name, "{event:?}");
    data["data"].take()
}

/// Expects a clean end of the stream.
pub(crate) async fn expect_end(client: &mut RawClient) {
    let end = timeout(TIMEOUT, client.expect_end())
        .await
        .expect("the stream ends in time");
    end.unwrap_or_else(|error| panic!("the stream has a clean end: {error}"));
}

pub(crate) fn json(event: &Decoded) -> Value {
    serde_json::from_str(&event.data).unwrap_or_else(|error| panic!("{event:?} has JSON: {error}"))
}
