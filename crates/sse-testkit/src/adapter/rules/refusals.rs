//! Streams that are refused.

use std::time::Duration;

use sse_core::{
    DisconnectOptions, Manager, ShutdownOptions, Target, UserId,
    config::{LimitPolicy, RejectionStyle},
};

use crate::{
    adapter::{
        harness::Harness,
        running_app::{RunningApp, expect_end, expect_system},
    },
    response::Response,
};

fn expect_retry_after(answer: &Response, status: u16) {
    assert_eq!(answer.status, status);
    let seconds = answer
        .headers
        .get("retry-after")
        .and_then(|value| value.parse().ok());
    assert!(
        seconds.is_some_and(|seconds: u64| (1..=15).contains(&seconds)),
        "{:?}",
        answer.headers
    );
}

pub async fn refusals_by_limits_have_a_retry(harness: Harness) {
    let builder = Manager::builder()
        .max_connections(2)
        .max_connections_per_user(1, LimitPolicy::Refuse);
    let app = harness.start(builder);
    let first = app.open("/events?user=42").await;
    expect_retry_after(&app.ask("GET", "/events?user=42", &[], "").await, 429);
    let second = app.open("/events?user=7").await;
    expect_retry_after(&app.ask("GET", "/events?user=8", &[], "").await, 503);
    let refused = app.manager.stats().counters.refused;
    assert_eq!((refused.get("user_limit"), refused.get("full")), (1, 1));
    drop((first, second));
    app.departures(2).await;
    app.open("/events?user=42").await;
    app.finish().await;
}

pub async fn limits_apply_to_the_clients_address(harness: Harness) {
    let app = harness.start(Manager::builder().max_connections_per_address(1, LimitPolicy::Refuse));
    let _first = app.open("/events").await;
    let elsewhere = "127.0.0.9".parse().expect("an address");
    let _elsewhere = app.greeted(app.get("/events").source(elsewhere)).await;
    expect_retry_after(&app.ask("GET", "/events", &[], "").await, 429);
    // A client can claim anything about itself.
    let forwarded = [
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
    ];
    expect_retry_after(&app.ask("GET", "/events", &forwarded, "").await, 429);
    assert_eq!(app.manager.stats().counters.refused.get("address_limit"), 2);
    app.finish().await;
}

pub async fn new_stream_can_replace_the_oldest(harness: Harness) {
    let app =
        harness.start(Manager::builder().max_connections_per_user(1, LimitPolicy::ReplaceOldest));
    let mut first = app.open("/events?user=42").await;
    let second = app.open("/events?user=42").await;
    let data = expect_system(&mut first, "disconnected").await;
    assert_eq!(
        (&data["reason"], &data["reconnect"]),
        (&"replaced".into(), &false.into())
    );
    expect_end(&mut first).await;
    assert_eq!(app.manager.stats().total_connections, 1);
    drop(second);
    app.finish().await;
}

pub async fn soft_refusal_is_a_stream_with_a_retry(harness: Harness) {
    let app = harness.start(
        Manager::builder()
            .max_connections(1)
            .refusal(RejectionStyle::Soft),
    );
    let _only = app.open("/events").await;
    let mut refused = app.get("/events").open().await.expect("an answer");
    let head = refused.head().await.expect("a head");
    assert_eq!(
        (head.status, head.headers.get("content-type")),
        (200, Some("text/event-stream"))
    );
    expect_end(&mut refused).await;
    assert!(
        refused.decoder().retry().is_some_and(|retry| retry >= 1000),
        "{:?}",
        refused.decoder()
    );
    app.finish().await;
}

/// Expects the response for a client that accepts nothing but an event stream: any status but 200
/// would be final for it.
async fn expect_soft(app: &RunningApp, path: &str) {
    let mut refused = app.get(path).open().await.expect("an answer");
    let head = refused.head().await.expect("a head");
    assert_eq!(
        (head.status, head.headers.get("content-type")),
        (200, Some("text/event-stream"))
    );
    expect_end(&mut refused).await;
    assert!(
        refused.decoder().retry().is_some_and(|retry| retry >= 1000),
        "{:?}",
        refused.decoder()
    );
}

pub async fn event_source_survives_a_temporary_rejection(harness: Harness) {
    let builder = Manager::builder()
        .max_connections(2)
        .max_connections_per_user(1, LimitPolicy::Refuse);
    let app = harness.start(builder);
    let _first = app.open("/events?user=42").await;
    expect_soft(&app, "/events?user=42").await;
    let _second = app.open("/events?user=7").await;
    expect_soft(&app, "/events?user=8").await;
    // Clients that accept other types too, in one `Accept` header or in two.
    for accept in ["*/*", "text/event-stream, */*;q=0.1"] {
        expect_retry_after(
            &app.ask("GET", "/events?user=8", &[("accept", accept)], "")
                .await,
            503,
        );
    }
    let both = [("accept", "text/event-stream"), ("accept", "*/*")];
    expect_retry_after(&app.ask("GET", "/events?user=8", &both, "").await, 503);
    app.manager.shutdown(ShutdownOptions::default()).await;
    expect_soft(&app, "/events?user=9").await;
    let head = app
        .ask("HEAD", "/events", &[("accept", "text/event-stream")], "")
        .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    app.finish().await;
}

pub async fn a_draining_manager_refuses(harness: Harness) {
    let app = harness.start(Manager::builder());
    app.manager.shutdown(ShutdownOptions::default()).await;
    expect_retry_after(&app.ask("GET", "/events", &[], "").await, 503);
    assert_eq!(
        app.ask("GET", "/ping", &[], "").await.body,
        b"pong",
        "the app goes on"
    );
    app.finish().await;
}

pub async fn banned_user_gets_no_content(harness: Harness) {
    let app = harness.start(Manager::builder());
    let user = UserId::new("42").expect("a user");
    let ban = DisconnectOptions::new().with_ban_for(Duration::from_secs(60));
    app.manager.disconnect(Target::User(user), ban).await;
    let answer = app.ask("GET", "/events?user=42", &[], "").await;
    // RFC 9110, section 8.6: no length in a 204.
    assert_eq!(
        (
            answer.status,
            answer.headers.get("content-length"),
            answer.body.len()
        ),
        (204, None, 0)
    );
    app.open("/events?user=7").await;
    app.finish().await;
}
