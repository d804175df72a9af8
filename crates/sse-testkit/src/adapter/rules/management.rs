//! The management API, mounted.

use serde_json::{Value, json};
use sse_core::{Manager, access::OwnEventsOnly};
use tokio::time::timeout;

use crate::{
    adapter::{
        harness::Harness,
        running_app::{RunningApp, TIMEOUT, next},
        test_app::BODY_LIMIT,
    },
    request::RawRequest,
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const BROADCAST: &str = "/api/trpc/sse.broadcastNotification";

async fn call(
    app: &RunningApp,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value) {
    let answer = app.ask(method, path, headers, body).await;
    assert_eq!(
        answer.headers.get("content-type"),
        Some("application/json"),
        "{method} {path}"
    );
    assert_eq!(
        answer.headers.get("cache-control"),
        Some("no-store"),
        "{method} {path}"
    );
    let value = serde_json::from_slice(&answer.body);
    (
        answer.status,
        value.unwrap_or_else(|error| panic!("{method} {path} answers JSON: {error}")),
    )
}

fn code(answer: &Value) -> &str {
    answer["error"]["data"]["code"].as_str().unwrap_or_default()
}

pub async fn a_query_is_answered_below_the_mount_point(harness: Harness) {
    let app = harness.start(Manager::builder());
    let _stream = app.open("/events?user=42").await;
    for path in [
        "/api/trpc/sse.getStats",
        "/api/trpc/sse%2EgetStats",
        "/api/trpc/sse.getStats?x=1",
    ] {
        let (status, answer) = call(&app, "GET", path, &[], "").await;
        assert_eq!(
            (status, &answer["result"]["data"]["totalConnections"]),
            (200, &json!(1)),
            "{path}"
        );
    }
    let input = "/api/trpc/sse.getConnections?input=%7B%22userId%22%3A%2242%22%7D";
    let (status, answer) = call(&app, "GET", input, &[], "").await;
    assert_eq!(
        (status, &answer["result"]["data"]["items"][0]["userId"]),
        (200, &json!("42"))
    );
    for (path, named) in [
        ("/api/trpc/sse.nothing", "sse.nothing"),
        ("/api/trpc/a/b", "a/b"),
    ] {
        let (status, answer) = call(&app, "GET", path, &[], "").await;
        let message = format!("No procedure found on path \"{named}\"");
        assert_eq!(
            (status, &answer["error"]["message"]),
            (404, &json!(message)),
            "{path}"
        );
    }
    assert_eq!(
        app.ask("HEAD", "/api/trpc/sse.getStats", &[], "")
            .await
            .status,
        204
    );
    app.finish().await;
}

pub async fn a_mutation_reaches_the_screens(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut stream = app.open("/events?user=42").await;
    let (status, answer) = call(&app, "POST", BROADCAST, &JSON, r#"{"message":"Grüße"}"#).await;
    assert_eq!(
        (status, answer),
        (200, json!({ "result": { "data": { "matched": 1 } } }))
    );
    let event = next(&mut stream).await;
    let data = crate::adapter::running_app::json(&event);
    assert_eq!(
        (&*event.event_type, &data["message"]),
        ("notification", &json!("Grüße"))
    );
    app.finish().await;
}

pub async fn the_app_determines_the_caller(harness: Harness) {
    let app = harness.start_guarded(Manager::builder(), OwnEventsOnly);
    let _stream = app.open("/events?user=42").await;
    let (path, own) = ("/api/trpc/sse.sendSuccess", r#"{"message":"to myself"}"#);
    let (status, answer) = call(&app, "POST", &format!("{path}?user=42"), &JSON, own).await;
    assert_eq!(
        (status, answer),
        (200, json!({ "result": { "data": { "matched": 1 } } }))
    );
    let other = r#"{"userId":"42","message":"not mine"}"#;
    let (status, answer) = call(&app, "POST", &format!("{path}?user=7"), &JSON, other).await;
    assert_eq!((status, code(&answer)), (403, "FORBIDDEN"));
    let (status, answer) = call(&app, "POST", path, &JSON, other).await;
    assert_eq!((status, code(&answer)), (401, "UNAUTHORIZED"));
    assert_eq!(app.manager.stats().counters.published, 1);
    app.finish().await;
}

/// Returns a valid body of `bytes` bytes.
fn body(bytes: usize) -> String {
    let empty = r#"{"message":""}"#;
    format!(r#"{{"message":"{}"}}"#, "x".repeat(bytes - empty.len()))
}

pub async fn a_body_of_more_than_the_limit_is_too_large(harness: Harness) {
    let app = harness.start(Manager::builder());
    assert_eq!(
        call(&app, "POST", BROADCAST, &JSON, &body(BODY_LIMIT))
            .await
            .0,
        200
    );
    for bytes in [BODY_LIMIT + 1, 300 << 10] {
        let (status, answer) = call(&app, "POST", BROADCAST, &JSON, &body(bytes)).await;
        assert_eq!(
            (status, code(&answer)),
            (413, "PAYLOAD_TOO_LARGE"),
            "{bytes} bytes"
        );
        assert_eq!(answer["error"]["data"]["path"], "sse.broadcastNotification");
    }
    assert_eq!(app.manager.stats().counters.published, 1);
    app.finish().await;
}

fn chunked(app: &RunningApp, chunks: &[&str]) -> RawRequest {
    let chunk = |text: &&str| format!("{:x}\r\n{text}\r\n", text.len());
    RawRequest::new(app.address, "POST", BROADCAST)
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked")
        .body(chunks.iter().map(chunk).collect::<String>())
}

pub async fn body_without_a_length_has_the_same_limit(harness: Harness) {
    let app = harness.start(Manager::builder());
    for (bytes, status) in [(BODY_LIMIT - 100, 200), (BODY_LIMIT + 100, 413)] {
        let sent = body(bytes);
        let (first, second) = sent.split_at(500);
        let mut client = chunked(&app, &[first, second, ""])
            .send()
            .await
            .expect("a request");
        let head = timeout(TIMEOUT, client.head())
            .await
            .expect("an answer")
            .expect("an answer");
        assert_eq!(head.status, status);
    }
    app.finish().await;
}

pub async fn incomplete_body_has_no_effect(harness: Harness) {
    let app = harness.start(Manager::builder());
    let mut client = chunked(&app, &[r#"{"message":"all of it"}"#])
        .send()
        .await
        .expect("a request");
    client.half_close().await.expect("a FIN");
    // The server may or may not respond.
    if let Ok(head) = timeout(TIMEOUT, client.head())
        .await
        .expect("an answer or an end")
    {
        assert_eq!(head.status, 400);
    }
    assert_eq!(app.manager.stats().counters.published, 0);
    app.finish().await;
}

pub async fn a_refusal_does_not_wait_for_the_body(harness: Harness) {
    let app = harness.start_guarded(Manager::builder(), OwnEventsOnly);
    for (method, path, status) in [
        ("POST", BROADCAST, 401),
        ("POST", "/api/trpc/sse.broadcastNotification?user=42", 403),
        ("POST", "/api/trpc/sse.sendInfo,sse.publish?batch=1", 401),
        ("POST", "/api/trpc/sse.nothing?user=42", 404),
        ("PUT", "/api/trpc/sse.sendInfo?user=42", 405),
        ("POST", "/events", 405),
    ] {
        for (name, value, sent) in [
            ("Content-Length", "1000000", &b""[..]),
            ("Content-Length", "1000000", b"{"),
            ("Content-Length", "900", b"{"),
            ("Transfer-Encoding", "chunked", b""),
            ("Transfer-Encoding", "chunked", b"ffff\r\n{"),
        ] {
            let request = RawRequest::new(app.address, method, path)
                .header("Content-Type", "application/json");
            let mut client = request
                .header(name, value)
                .body(sent)
                .send()
                .await
                .expect("a request");
            let head = timeout(TIMEOUT, client.head())
                .await
                .expect("an answer")
                .expect("an answer");
            assert_eq!(head.status, status, "{method} {path} {name}: {value}");
            if path == "/events" {
                continue;
            }
            // The rest of the body is not awaited.
            let closed = timeout(TIMEOUT, client.expect_close())
                .await
                .expect("the end of the connection");
            closed.expect("the end of the connection");
        }
    }
    app.finish().await;
}

pub async fn method_and_content_type_are_checked(harness: Harness) {
    let app = harness.start(Manager::builder());
    let wrong = app.ask("GET", BROADCAST, &[], "").await;
    assert_eq!(
        (wrong.status, wrong.headers.get("allow")),
        (405, Some("POST"))
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        call(&app, "POST", BROADCAST, &form, "message=x").await.0,
        415
    );
    assert_eq!(call(&app, "POST", BROADCAST, &JSON, "{").await.0, 400);
    app.finish().await;
}
