//! The management API as a router.

use std::{future::IntoFuture, net::SocketAddr};

use axum::{Router, extract::Request, middleware, response::Response, routing::get};
use serde_json::{Value, json};
use sse_core::{Access, Caller, Manager, Open, OwnOnly, UserId};
use sse_testkit::{RawClient, RawRequest, request};
use sse_trpc::{Limits, Management};
use tokio::net::TcpListener;

use crate::app::PATIENCE;

struct Api {
    manager: Manager,
    address: SocketAddr,
}

/// What an app's authentication does: whoever says a name is that user.
async fn identify(mut request: Request, next: middleware::Next) -> Response {
    let name = request.headers().get("x-user").and_then(|name| name.to_str().ok());
    if let Some(user) = name.and_then(|name| UserId::new(name).ok()) {
        request.extensions_mut().insert(Caller::user(user));
    }
    next.run(request).await
}

async fn events(handshake: sse_axum::SseHandshake, manager: Manager) -> sse_axum::SseResponse {
    manager.connect(handshake.user("42")).unwrap().into()
}

impl Api {
    async fn start(access: impl Access, body_limit: usize) -> Self {
        let manager = Manager::builder().access(access).build().unwrap();
        let mut limits = Limits::default();
        limits.body = body_limit;
        let management = Management::new(manager.clone()).limits(limits);
        let streams = manager.clone();
        let router = Router::new()
            .route("/api/sse", get(move |handshake| events(handshake, streams)))
            .nest("/api/trpc", sse_axum::trpc(management.clone()))
            .nest("/v2/{tenant}/admin", sse_axum::trpc(management))
            .layer(middleware::from_fn(identify));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(sse_axum::serve(listener, router).into_future());
        Self { manager, address }
    }

    async fn open(&self) -> RawClient {
        let mut client = RawRequest::get(self.address, "/api/sse").open().await.unwrap();
        client.next_event_within(PATIENCE).await.unwrap();
        client
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, &[], "").await
    }

    async fn post(&self, path: &str, user: Option<&str>, body: &str) -> (u16, Value) {
        let user = user.map(|user| ("x-user", user));
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(user).collect();
        self.ask("POST", path, &headers, body).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let answer = request(self.address, method, path, headers, body);
        let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.headers.get("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"), "{path}");
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test]
async fn it_answers_below_the_path_where_it_is_nested() {
    let api = Api::start(Open, 1 << 20).await;
    let _stream = api.open().await;
    for path in [
        "/api/trpc/sse.getStats",
        "/api/trpc/sse%2EgetStats",
        "/v2/acme/admin/sse.getStats",
        "/api/trpc/sse.getStats?x=1",
    ] {
        let (status, answer) = api.get(path).await;
        assert_eq!((status, &answer["result"]["data"]["totalConnections"]), (200, &json!(1)), "{path}");
    }
    for (path, named) in
        [("/api/trpc/sse.nothing", "sse.nothing"), ("/api/trpc", ""), ("/api/trpc/a/b", "a/b")]
    {
        let (status, answer) = api.get(path).await;
        let message = format!("No procedure found on path \"{named}\"");
        assert_eq!((status, &answer["error"]["message"]), (404, &json!(message)), "{path}");
    }
    let elsewhere = request(api.address, "GET", "/api/trpcs", &[], "").await.unwrap();
    assert_eq!((elsewhere.status, elsewhere.body.len()), (404, 0));
}

#[tokio::test]
async fn the_query_is_the_input_of_a_query() {
    let api = Api::start(Open, 1 << 20).await;
    let _stream = api.open().await;
    let input = "%7B%22userId%22%3A%2242%22%7D";
    let (status, answer) = api.get(&format!("/api/trpc/sse.getConnections?input={input}")).await;
    assert_eq!((status, &answer["result"]["data"]["items"][0]["userId"]), (200, &json!("42")));
}

#[tokio::test]
async fn the_caller_is_the_one_among_the_extensions() {
    let api = Api::start(OwnOnly, 1 << 20).await;
    let mut stream = api.open().await;
    let own = r#"{"message":"to myself"}"#;
    let (status, answer) = api.post("/api/trpc/sse.sendSuccess", Some("42"), own).await;
    assert_eq!((status, answer), (200, json!({ "result": { "data": { "matched": 1 } } })));
    let event = stream.next_event_within(PATIENCE).await.unwrap();
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(
        (&*event.event_type, &data["type"], &data["message"]),
        ("notification", &json!("success"), &json!("to myself"))
    );

    let to_42 = r#"{"userId":"42","message":"not mine"}"#;
    let refused = [
        (api.post("/api/trpc/sse.sendSuccess", Some("7"), to_42).await, 403, "FORBIDDEN"),
        (api.post("/api/trpc/sse.sendSuccess", None, to_42).await, 401, "UNAUTHORIZED"),
    ];
    for ((status, answer), expected, code) in refused {
        assert_eq!((status, &answer["error"]["data"]["code"]), (expected, &json!(code)));
    }
    assert_eq!(api.manager.stats().counters.published, 1);
}

/// A body of so many bytes that is sound.
fn body(bytes: usize) -> String {
    let frame = r#"{"message":""}"#;
    let body = format!(r#"{{"message":"{}"}}"#, "x".repeat(bytes - frame.len()));
    assert_eq!(body.len(), bytes);
    body
}

#[tokio::test]
async fn a_body_of_more_than_the_limit_is_too_large() {
    let api = Api::start(Open, 1000).await;
    let path = "/api/trpc/sse.broadcastNotification";
    assert_eq!(api.post(path, None, &body(1000)).await.0, 200);
    let (status, answer) = api.post(path, None, &body(1001)).await;
    assert_eq!((status, &answer["error"]["data"]["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
    assert_eq!(answer["error"]["data"]["path"], "sse.broadcastNotification");
    assert_eq!(api.manager.stats().counters.published, 1);
}

fn chunked(address: SocketAddr, chunks: &[&str]) -> RawRequest {
    let chunk = |text: &&str| format!("{:x}\r\n{text}\r\n", text.len());
    RawRequest::new(address, "POST", "/api/trpc/sse.broadcastNotification")
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked")
        .body(chunks.iter().map(chunk).collect::<String>())
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_has_the_same_limit() {
    let api = Api::start(Open, 1000).await;
    let (small, large) = (body(900), body(1100));
    for (sent, status) in [(&small, 200), (&large, 413)] {
        let (first, second) = sent.split_at(500);
        let mut client = chunked(api.address, &[first, second, ""]).send().await.unwrap();
        let head = tokio::time::timeout(PATIENCE, client.head()).await.unwrap().unwrap();
        assert_eq!(head.status, status);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_does_nothing() {
    let api = Api::start(Open, 1000).await;
    let mut client = chunked(api.address, &[r#"{"message":"all of it"}"#]).send().await.unwrap();
    client.half_close().await.unwrap();
    // Whether an answer comes is up to hyper.
    if let Ok(head) = tokio::time::timeout(PATIENCE, client.head()).await.unwrap() {
        assert_eq!(head.status, 400);
    }
    assert_eq!(api.manager.stats().counters.published, 0);
}

#[tokio::test]
async fn what_the_method_and_the_type_must_be() {
    let api = Api::start(Open, 1000).await;
    let (status, answer) = api.get("/api/trpc/sse.broadcastNotification").await;
    assert_eq!((status, &answer["error"]["data"]["code"]), (405, &json!("METHOD_NOT_SUPPORTED")));
    let wrong = request(api.address, "GET", "/api/trpc/sse.broadcastNotification", &[], "").await.unwrap();
    assert_eq!(wrong.headers.get("allow"), Some("POST"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (status, _) = api.ask("POST", "/api/trpc/sse.broadcastNotification", &form, "message=x").await;
    assert_eq!(status, 415);
    let head = request(api.address, "HEAD", "/api/trpc/sse.getStats", &[], "").await.unwrap();
    assert_eq!(head.status, 204);
}
