//! A hub to test, and helpers for requests to it.

use std::{env, net::SocketAddr, process::Command, time::Duration};

use serde_json::{Value, json};
use sse_testkit::{Decoded, RawClient, RawRequest, Response, Server, request};

/// Timeout that is long enough for a busy machine; a test that reaches it has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Creates the command of a hub on a free port. The hub gets no settings from the variables of the
/// tests, and has no delay before a drain.
pub(crate) fn command() -> Command {
    let mut command = bare_command();
    command.args(["--listen", "127.0.0.1:0", "--drain-delay", "0"]);
    command
}

/// Creates the command of a hub without any argument or setting.
pub(crate) fn bare_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sse-hub"));
    let is_setting = |name: &str| {
        ["SSE_HUB_", "AUTH_SECRET", "NEXTAUTH_SECRET", "JWT_SECRET"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

/// A running hub. Dropping it ends the process.
pub(crate) struct Hub(pub(crate) Server);

impl Hub {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(arguments);
        Self::spawn(command).await
    }

    pub(crate) async fn spawn(command: Command) -> Self {
        Self(Server::spawn(command).await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Opens a stream, without reading its `connection` event.
    pub(crate) async fn open(&self, query: &str) -> RawClient {
        RawRequest::get(self.address(), format!("/api/sse?{query}"))
            .open()
            .await
            .unwrap()
    }

    /// Opens a stream and reads its `connection` event. Returns the stream and the data of the
    /// event.
    pub(crate) async fn greeted(&self, query: &str) -> (RawClient, Value) {
        let mut stream = self.open(query).await;
        let (event_type, data) = next(&mut stream).await;
        assert_eq!(event_type, "connection");
        (stream, data)
    }

    /// Opens a stream and reads its `connection` event.
    pub(crate) async fn stream(&self, query: &str) -> RawClient {
        self.greeted(query).await.0
    }

    /// Sends a request without headers and body.
    pub(crate) async fn request(&self, method: &str, path: &str) -> Response {
        request(self.address(), method, path, &[], "")
            .await
            .unwrap()
    }

    /// Calls a mutation; `procedure` can include a query.
    pub(crate) async fn post(&self, procedure: &str, body: &str) -> (u16, Value) {
        let path = format!("/api/trpc/sse.{procedure}");
        let headers = [("content-type", "application/json")];
        let response = request(self.address(), "POST", &path, &headers, body)
            .await
            .unwrap();
        (
            response.status,
            serde_json::from_slice(&response.body).unwrap(),
        )
    }

    /// Calls a mutation, which must succeed. Returns the number of matched streams.
    pub(crate) async fn send(&self, procedure: &str, input: Value) -> u64 {
        let (status, answer) = self.post(procedure, &input.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"]["data"]["matched"].as_u64().unwrap()
    }

    /// Returns the result of `getStats`.
    pub(crate) async fn stats(&self) -> Value {
        let response = self.request("GET", "/api/trpc/sse.getStats").await;
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(response.status, 200, "{answer}");
        answer["result"]["data"].clone()
    }

    /// Waits until the hub has this number of streams.
    pub(crate) async fn settles_at(&self, streams: u64) {
        until(async || self.stats().await["totalConnections"] == streams).await;
    }

    /// Sends an event to all streams. A test that reads the event knows that no other event came
    /// first.
    pub(crate) async fn fence(&self) {
        self.send("broadcastSystemEvent", json!({ "event": "fence" }))
            .await;
    }
}

/// Returns the next event as its type and its data as JSON. Skips heartbeats, which arrive if
/// something takes long.
pub(crate) async fn next(stream: &mut RawClient) -> (String, Value) {
    let other = async {
        loop {
            let event = next_of_all(stream).await;
            if event.0 != "heartbeat" {
                return event;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, other)
        .await
        .expect("an event arrives within the timeout")
}

/// Returns the next event, which can be a heartbeat.
pub(crate) async fn next_of_all(stream: &mut RawClient) -> (String, Value) {
    let Decoded {
        event_type, data, ..
    } = stream.next_event_within(TIMEOUT).await.unwrap();
    (event_type, serde_json::from_str(&data).unwrap())
}

/// Reads the next event. Asserts that it is the event of [`Hub::fence`].
pub(crate) async fn expect_fence(stream: &mut RawClient) {
    let (event_type, data) = next(stream).await;
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("fence"))
    );
}

/// Waits until a condition is true.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, waiting)
        .await
        .expect("the condition becomes true within the timeout");
}

/// Starts a hub that must fail to start. Returns its output with its exit code.
pub(crate) async fn refusal(command: Command) -> String {
    Server::spawn(command)
        .await
        .expect_err("the hub should not start")
        .to_string()
}
