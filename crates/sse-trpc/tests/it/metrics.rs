//! Metrics of calls in a scrape.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, future::pending};
use prometheus_parse::{Scrape, Value};
use serde_json::json;
use sse_core::access::OwnEventsOnly;
use sse_metrics::Metrics;
use sse_trpc::{Content, Context, Error, Procedure};

use crate::api::Api;

fn scrape(api: &Api) -> (Scrape, String) {
    let text = Metrics::new()
        .source(api.management.clone())
        .scrape(None)
        .body;
    (
        Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap(),
        text,
    )
}

fn numbers(api: &Api, name: &str) -> Vec<(String, f64)> {
    let (scrape, _) = scrape(api);
    let number = |sample: &prometheus_parse::Sample| match sample.value {
        Value::Counter(number) => number,
        ref other => panic!("{other:?}"),
    };
    let labels = |sample: &prometheus_parse::Sample| {
        let label = |name| sample.labels.get(name).unwrap_or_default().to_owned();
        format!("{} {}", label("procedure"), label("code"))
            .trim()
            .to_owned()
    };
    let samples = scrape.samples.iter().filter(|sample| sample.metric == name);
    samples
        .map(|sample| (labels(sample), number(sample)))
        .filter(|(_, number)| *number > 0.0)
        .collect()
}

fn called(api: &Api) -> Vec<(String, f64)> {
    numbers(api, "sse_management_calls_total")
}

#[tokio::test]
async fn calls_count_by_procedure_and_code() {
    let api = Api::with_access(OwnEventsOnly).user("ada");
    api.mutate("sse.sendInfo", json!({ "message": "a" }))
        .await
        .matched(0);
    api.mutate("sse.sendInfo", json!({ "message": "a" }))
        .await
        .matched(0);
    assert_eq!(
        api.mutate("sse.sendInfo", json!({ "message": 1 }))
            .await
            .status,
        400
    );
    assert_eq!(api.query("sse.sendInfo", json!({})).await.status, 405);
    assert_eq!(api.query("sse.getStats", json!({})).await.status, 403);
    let stats = api
        .query("sse.getStats,sse.getConnections?batch=1&x", json!({}))
        .await;
    assert_eq!(stats.json().as_array().unwrap().len(), 2);
    let expected = [
        ("sse.getConnections FORBIDDEN", 1.0),
        ("sse.getStats FORBIDDEN", 2.0),
        ("sse.sendInfo OK", 2.0),
        ("sse.sendInfo BAD_REQUEST", 1.0),
        ("sse.sendInfo METHOD_NOT_SUPPORTED", 1.0),
    ];
    assert_eq!(
        called(&api),
        expected.map(|(labels, count)| (labels.to_owned(), count))
    );
}

#[tokio::test]
async fn labels_contain_no_text_from_callers() {
    let api = Api::open();
    for path in ["made-up", "sse.nothing", "sse.getStats%0A", "a,b,c?batch=1"] {
        api.request("GET", path, None, "").await;
    }
    assert_eq!(called(&api), []);
    assert_eq!(
        numbers(&api, "sse_management_unknown_calls_total"),
        [(String::new(), 6.0)]
    );
    api.request("GET", "%", None, "").await;
    api.request("POST", "made-up", Some("made-up"), "").await;
    let expected = [("BAD_REQUEST", 1.0), ("UNSUPPORTED_MEDIA_TYPE", 1.0)];
    assert_eq!(
        numbers(&api, "sse_management_refused_requests_total"),
        expected.map(|(code, count)| (code.to_owned(), count))
    );
    let (_, text) = scrape(&api);
    assert!(!text.contains("made-up"), "{text}");
}

#[tokio::test]
async fn subscriptions_count_when_they_are_open_or_refused() {
    let api = Api::with_access(OwnEventsOnly).user("ada");
    let response = api.respond("GET", "sse.events", &[], "").await;
    let Content::Events(mut session) = response.body else {
        panic!("{response:?}")
    };
    assert_eq!(called(&api), [("sse.events OK".to_owned(), 1.0)]);
    session.next().await.unwrap();
    drop(session);
    api.ask(
        "GET",
        "sse.events?input=%7B%22topics%22%3A%5B%22news%22%5D%7D",
        &[],
        "",
    )
    .await;
    let expected = [("sse.events OK", 1.0), ("sse.events FORBIDDEN", 1.0)];
    assert_eq!(
        called(&api),
        expected.map(|(labels, count)| (labels.to_owned(), count))
    );
}

#[tokio::test]
async fn departed_callers_are_counted() {
    let mut api = Api::open();
    let never = Procedure::query(|_: Context, _: serde_json::Value| pending::<Result<(), Error>>());
    api.management = api.management.procedure("never", never);
    assert!(
        api.request("GET", "never", None, "")
            .now_or_never()
            .is_none()
    );
    assert_eq!(
        called(&api),
        [("never CLIENT_CLOSED_REQUEST".to_owned(), 1.0)]
    );
    // The call is never polled, so the procedure never begins, but the call is counted.
    let lines = api
        .respond(
            "GET",
            "never?batch=1",
            &[("trpc-accept", "application/jsonl")],
            "",
        )
        .await;
    drop(lines);
    assert_eq!(called(&api)[0].1, 2.0);
}

#[tokio::test]
async fn durations_cover_all_calls() {
    let mut api = Api::open();
    let slow = Procedure::query(|_: Context, _: serde_json::Value| async {
        // Durations are measured with the system's clock, so real time must pass.
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(3)))
            .await
            .unwrap();
        Ok::<_, Error>(())
    });
    api.management = api.management.procedure("slow", slow);
    for limit in [1, 0] {
        api.query("sse.getStats", json!({ "limit": limit })).await;
        api.query("slow", json!({})).await;
    }
    let (scrape, text) = scrape(&api);
    let histogram = |procedure| {
        let is_it = |sample: &&prometheus_parse::Sample| {
            sample.metric == "sse_management_call_seconds"
                && sample.labels.get("procedure") == Some(procedure)
        };
        let Value::Histogram(counts) = &scrape.samples.iter().find(is_it).unwrap().value else {
            panic!()
        };
        counts
            .iter()
            .map(|count| (count.less_than, count.count))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        histogram("sse.getStats").last(),
        Some(&(f64::INFINITY, 2.0))
    );
    let slow = histogram("slow");
    assert!(
        slow.contains(&(0.002_5, 0.0)) && slow.contains(&(f64::INFINITY, 2.0)),
        "{slow:?}"
    );
    // The usual counters are exported before their first increment.
    assert!(
        text.contains("calls_total{procedure=\"sse.publish\",code=\"FORBIDDEN\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("sse_management_call_seconds_count{procedure=\"sse.publish\"} 0\n"),
        "{text}"
    );
}

#[tokio::test]
async fn clones_count_together() {
    let api = Api::open();
    let metrics = Metrics::new().source(api.management.clone());
    api.query("sse.getStats", json!({})).await;
    let text = metrics.scrape(None).body;
    assert!(
        text.contains("sse_management_calls_total{procedure=\"sse.getStats\",code=\"OK\"} 1\n"),
        "{text}"
    );
}
