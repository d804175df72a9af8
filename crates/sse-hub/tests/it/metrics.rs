//! `/metrics`, and the dashboard and alerts that use it.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use prometheus_parse::{Scrape, Value as Number};
use serde_json::Value;
use sse_testkit::{RawClient, request};

use crate::{
    hub::{Hub, until},
    prometheus::Prometheus,
};

const DASHBOARD: &str = include_str!("../../../../docs/monitoring/grafana.json");
const ALERTS: &str = include_str!("../../../../docs/monitoring/alerts.yml");

/// Arguments that enable all metrics.
const LOGGING: &[&str] = &["--backplane", "memory"];

/// Causes an event of every kind that the metrics count.
async fn use_it(hub: &Hub) -> [RawClient; 2] {
    let streams = [hub.stream("user=alice").await, hub.stream("").await];
    drop(hub.stream("user=bob").await);
    hub.settles_at(2).await;
    hub.request("POST", "/api/sse").await;
    hub.request("GET", "/api/trpc/made-up").await;
    hub.request("GET", "/api/trpc/%zz").await;
    hub.post("publish", "{}").await;
    hub.fence().await;
    streams
}

async fn scrape(hub: &Hub) -> (Scrape, String) {
    let text = hub
        .request("GET", "/metrics")
        .await
        .text()
        .unwrap()
        .to_owned();
    (
        Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap(),
        text,
    )
}

/// Returns the value of a metric with these labels. The metric must exist.
#[track_caller]
fn number(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    let is_it = |sample: &&prometheus_parse::Sample| {
        sample.metric == name
            && labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(value))
    };
    match scrape
        .samples
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {name}"))
        .value
    {
        Number::Counter(number) | Number::Gauge(number) | Number::Untyped(number) => number,
        ref other => panic!("{name} is {other:?}"),
    }
}

#[tokio::test]
async fn scrape_reports_all_counters() {
    let hub = Hub::start(&["--max-connections", "77"]).await;
    let _streams = use_it(&hub).await;
    let (scrape, text) = scrape(&hub).await;
    for (name, labels, expected) in [
        ("sse_streams", &[][..], 2.0),
        ("sse_users", &[], 1.0),
        ("sse_streams_limit", &[], 77.0),
        ("sse_streams_accepted_total", &[], 3.0),
        ("sse_streams_ended_total", &[("reason", "client_left")], 1.0),
        ("sse_streams_refused_total", &[("cause", "method")], 1.0),
        ("sse_events_published_total", &[], 1.0),
        ("sse_events_queued_total", &[], 2.0),
        (
            "sse_management_calls_total",
            &[("procedure", "sse.broadcastSystemEvent")],
            1.0,
        ),
        (
            "sse_management_calls_total",
            &[("procedure", "sse.publish"), ("code", "BAD_REQUEST")],
            1.0,
        ),
        ("sse_management_unknown_calls_total", &[], 1.0),
        (
            "sse_management_refused_requests_total",
            &[("code", "BAD_REQUEST")],
            1.0,
        ),
        ("sse_transport_streams", &[("transport", "reactor")], 2.0),
        ("sse_transport_streams", &[("transport", "body")], 0.0),
        (
            "sse_transport_streams_opened_total",
            &[("transport", "reactor")],
            3.0,
        ),
        ("sse_transport_fallbacks_total", &[("reason", "tls")], 0.0),
        ("sse_reactor_streams_blocked", &[], 0.0),
        ("sse_reactor_write_stalls_total", &[], 0.0),
        ("sse_reactor_failures_total", &[("fault", "panicked")], 0.0),
        (
            "sse_hub_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        ),
    ] {
        assert_eq!(
            number(&scrape, name, labels),
            expected,
            "{name} {labels:?}\n{text}"
        );
    }
    assert!(
        !text.contains("alice") && !text.contains("made-up"),
        "{text}"
    );
}

#[tokio::test]
async fn fallbacks_are_counted_without_the_reactor() {
    let hub = Hub::start(&["--reactor=no"]).await;
    let _stream = hub.stream("").await;
    hub.settles_at(1).await;
    let (scrape, text) = scrape(&hub).await;
    for (name, labels, expected) in [
        (
            "sse_transport_streams",
            &[("transport", "reactor")][..],
            0.0,
        ),
        ("sse_transport_streams", &[("transport", "body")], 1.0),
        ("sse_transport_fallbacks_total", &[("reason", "off")], 1.0),
        ("sse_reactor_threads", &[], 0.0),
    ] {
        assert_eq!(
            number(&scrape, name, labels),
            expected,
            "{name} {labels:?}\n{text}"
        );
    }
}

#[tokio::test]
async fn log_metrics_exist_with_an_event_log() {
    let hub = Hub::start(LOGGING).await;
    let _streams = use_it(&hub).await;
    let _stranger = hub.stream("lastEventId=zz").await;
    let once = r#"{"target":"all","event":"e","data":1,"key":"k"}"#;
    for _ in 0..2 {
        assert_eq!(hub.post("publish", once).await.0, 200);
    }
    let (with_log, text) = scrape(&hub).await;
    for (name, labels, expected) in [
        ("sse_log_state", &[("state", "current")][..], 1.0),
        ("sse_log_state", &[("state", "away")], 0.0),
        ("sse_log_entries", &[], 2.0),
        ("sse_log_head", &[("part", "minor")], 2.0),
        ("sse_log_duplicates_total", &[], 1.0),
        ("sse_log_lag_seconds", &[], 0.0),
        ("sse_log_appends_total", &[("outcome", "failed")], 0.0),
    ] {
        assert_eq!(
            number(&with_log, name, labels),
            expected,
            "{name} {labels:?}\n{text}"
        );
    }
    assert!(number(&with_log, "sse_log_held_bytes", &[]) > 0.0);
    let invalid = async || {
        number(
            &scrape(&hub).await.0,
            "sse_log_gaps_total",
            &[("reason", "invalid")],
        )
    };
    until(async || invalid().await == 1.0).await;
    let without = Hub::start(&[]).await;
    assert!(!scrape(&without).await.1.contains("sse_log_"));
}

#[tokio::test]
async fn accept_header_selects_the_format() {
    let hub = Hub::start(&[]).await;
    for (accept, content_type, end) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "\n"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "\n# EOF\n",
        ),
    ] {
        let response = request(hub.address(), "GET", "/metrics", &[("accept", accept)], "")
            .await
            .unwrap();
        assert_eq!(
            (response.status, response.headers.get("content-type")),
            (200, Some(content_type))
        );
        assert_eq!(response.headers.get("cache-control"), Some("no-store"));
        assert!(response.text().unwrap().ends_with(end));
    }
}

#[tokio::test]
async fn promtool_reports_no_problems() {
    let Some(promtool) = sse_testkit::executable("promtool").unwrap() else {
        return;
    };
    let hub = Hub::start(LOGGING).await;
    let _streams = use_it(&hub).await;
    let (_, text) = scrape(&hub).await;
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Returns the expressions of all panels, with the titles of the panels.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|panel| panel["type"] != "row");
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(|target| (text(&panel["title"]), text(&target["expr"])))
    });
    targets.collect()
}

/// Returns the metrics in an expression: the words with a prefix of the hub's metrics.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words =
        expression.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("sse_") || word.starts_with("process_"))
}

#[tokio::test]
async fn dashboard_and_alerts_use_existing_metrics() {
    let hub = Hub::start(LOGGING).await;
    let _streams = use_it(&hub).await;
    let (_, text) = scrape(&hub).await;
    let known: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap())
        .collect();
    let mut expressions: Vec<_> = expressions()
        .into_iter()
        .map(|(_, expression)| expression)
        .collect();
    assert!(expressions.len() > 20, "{expressions:?}");
    expressions.push(ALERTS.to_owned());
    let used: BTreeSet<_> = expressions
        .iter()
        .flat_map(|expression| names(expression))
        .collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let ours = known
        .iter()
        .filter(|name| name.starts_with("sse_") && !name.ends_with("_info"));
    let unused: Vec<_> = ours.filter(|name| !used.contains(**name)).collect();
    let histogram = [
        "sse_management_call_seconds_count",
        "sse_management_call_seconds_sum",
    ];
    assert_eq!(
        unused,
        histogram.iter().collect::<Vec<_>>(),
        "metrics that no panel and no alert uses"
    );
}

#[tokio::test]
async fn every_panel_has_data_from_prometheus() {
    let hub = Hub::start(LOGGING).await;
    let Some(prometheus) = Prometheus::start(hub.address()).await else {
        return;
    };
    // A rate needs samples from before and after.
    prometheus.scrapes(3).await;
    let _streams = use_it(&hub).await;
    prometheus.scrapes(3).await;

    assert_eq!(prometheus.shows("streams", "sse_streams").await[0].1, 2.0);
    for (title, expression) in expressions() {
        let expression = expression
            .replace("$__rate_interval", "1m")
            .replace("$job", "sse-hub")
            .replace("$instance", &hub.address().to_string());
        let results = prometheus.shows(&title, &expression).await;
        assert!(
            results.iter().all(|(_, number)| number.is_finite()),
            "{title}: {results:?}"
        );
    }
    let metadata = prometheus.api("metadata?metric=sse_delivered_bytes").await;
    // Only OpenMetrics reports units, so Prometheus scraped that format.
    assert_eq!(
        metadata["sse_delivered_bytes"][0]["unit"], "bytes",
        "{metadata}"
    );
    let rules = async || {
        prometheus.api("rules").await["groups"][0]["rules"]
            .as_array()
            .unwrap()
            .clone()
    };
    until(async || rules().await.iter().all(|rule| rule["health"] != "unknown")).await;
    let rules = rules().await;
    assert!(
        rules.len() >= 6 && rules.iter().all(|rule| rule["health"] == "ok"),
        "{rules:?}"
    );
}
