//! The metrics of a manager.

use std::pin::pin;

use futures_util::{FutureExt, StreamExt};
use sse_core::{
    DisconnectReason, Event, Handshake, Manager, Retention, ShutdownOptions, config::KeyLimits,
};
use sse_metrics::Metrics;

use crate::judges::{Samples, check_with_promtool};

#[tokio::test]
async fn samples_match_statistics() {
    let manager = Manager::builder().max_connections(2).build().unwrap();
    let metrics = Metrics::of(manager.clone());
    let first = manager.connect(Handshake::new().user("ada")).unwrap();
    let second = manager.connect(Handshake::new().user("ada")).unwrap();
    manager.connect(Handshake::new()).unwrap_err();
    manager
        .user("ada")
        .publish(Event::text("hello"))
        .await
        .unwrap();
    drop(second);

    let text = metrics.scrape(None).body;
    check_with_promtool(&text);
    let samples = Samples::read(&text);
    for (name, number) in [
        ("sse_streams", 1.0),
        ("sse_streams_ending", 0.0),
        ("sse_streams_limit", 2.0),
        ("sse_users", 1.0),
        ("sse_draining", 0.0),
        ("sse_streams_accepted_total", 2.0),
        ("sse_events_published_total", 1.0),
        ("sse_events_queued_total", 2.0),
        ("sse_events_delivered_total", 0.0),
        ("sse_events_dropped_total", 0.0),
        ("sse_heartbeats_total", 0.0),
        ("sse_delivered_bytes_total", 0.0),
    ] {
        assert_eq!(samples.number(name, &[]), number, "{name}");
    }
    assert_eq!(
        samples.number("sse_streams_ended_total", &[("reason", "client_left")]),
        1.0
    );
    assert_eq!(
        samples.number("sse_streams_refused_total", &[("cause", "full")]),
        1.0
    );
    drop(first);
}

#[tokio::test]
async fn log_samples_exist_only_with_event_log() {
    let limits = KeyLimits::default().of_backends(1);
    let manager = Manager::builder()
        .log(Retention::default())
        .keys(limits)
        .build()
        .unwrap();
    let publish = || {
        manager
            .all()
            .publish(Event::text("hello").with_idempotency_key("k"))
    };
    let id = publish().await.unwrap().id.unwrap();
    assert!(publish().await.unwrap().duplicate);
    manager
        .all()
        .publish(Event::text("hello").with_idempotency_key("another"))
        .await
        .unwrap_err();
    let from = |id: &str| Handshake::from_request("GET", None, Some(id.as_bytes()));
    let _resumed = manager.connect(from(id.as_str())).unwrap();
    let mut stranger = manager.connect(from("zz")).unwrap();
    while let Some(Some(_)) = stranger.next().now_or_never() {}

    let text = Metrics::new().source(manager.clone()).scrape(None).body;
    check_with_promtool(&text);
    let samples = Samples::read(&text);
    for (name, number) in [
        ("sse_log_lag_seconds", 0.0),
        ("sse_log_entries", 1.0),
        ("sse_log_resumed_total", 1.0),
        ("sse_log_replayed_total", 0.0),
        ("sse_log_duplicates_total", 1.0),
        ("sse_log_keys_refused_total", 1.0),
        ("sse_log_unreadable_total", 0.0),
        ("sse_log_damaged_total", 0.0),
        ("sse_log_reconnects_total", 0.0),
        ("sse_log_reads_total", 0.0),
        ("sse_log_append_seconds_total", 0.0),
    ] {
        assert_eq!(samples.number(name, &[]), number, "{name}");
    }
    assert!(samples.number("sse_log_held_bytes", &[]) > 0.0);
    for (name, label, value, number) in [
        ("sse_log_state", "state", "starting", 0.0),
        ("sse_log_state", "state", "current", 1.0),
        ("sse_log_state", "state", "away", 0.0),
        ("sse_log_head", "part", "major", 0.0),
        ("sse_log_head", "part", "minor", 1.0),
        ("sse_log_gaps_total", "reason", "invalid", 1.0),
        ("sse_log_gaps_total", "reason", "trimmed", 0.0),
        ("sse_log_appends_total", "outcome", "ok", 0.0),
        ("sse_log_appends_total", "outcome", "failed", 0.0),
    ] {
        assert_eq!(
            samples.number(name, &[(label, value)]),
            number,
            "{name} {value}"
        );
    }
    let without = Manager::builder().build().unwrap();
    assert!(
        !Metrics::new()
            .source(without)
            .scrape(None)
            .body
            .contains("sse_log_")
    );
}

/// Counters of events that have not happened yet are 0, and not missing.
#[test]
fn every_reason_and_cause_has_initial_sample() {
    let manager = Manager::builder().build().unwrap();
    let samples = Samples::read(&Metrics::new().source(manager.clone()).scrape(None).body);
    let reasons = samples.label_values("sse_streams_ended_total", "reason");
    assert_eq!(reasons, DisconnectReason::ALL.map(DisconnectReason::as_str));
    let causes: Vec<_> = manager
        .stats()
        .counters
        .refused
        .iter()
        .map(|(cause, _)| cause.to_owned())
        .collect();
    assert_eq!(
        samples.label_values("sse_streams_refused_total", "cause"),
        causes
    );
}

#[tokio::test]
async fn shutdown_is_visible() {
    let manager = Manager::builder().build().unwrap();
    let metrics = Metrics::new().source(manager.clone());
    let stream = manager.connect(Handshake::new()).unwrap();
    let mut shutdown = pin!(manager.shutdown(ShutdownOptions::default()));
    tokio::select! {
        biased;
        _ = &mut shutdown => panic!("shutdown ended before the stream"),
        () = std::future::ready(()) => {}
    }
    let samples = Samples::read(&metrics.scrape(None).body);
    assert_eq!(
        (
            samples.number("sse_draining", &[]),
            samples.number("sse_streams", &[])
        ),
        (1.0, 0.0)
    );
    assert_eq!(samples.number("sse_streams_ending", &[]), 1.0);
    drop(stream);
    shutdown.await;
}

#[test]
fn managers_are_separated_by_label() {
    let [one, other] = [1, 2].map(|most| Manager::builder().max_connections(most).build().unwrap());
    let metrics = Metrics::new()
        .labelled("manager", "one", one)
        .labelled("manager", "other", other);
    let text = metrics.scrape(None).body;
    check_with_promtool(&text);
    let samples = Samples::read(&text);
    assert_eq!(
        samples.number("sse_streams_limit", &[("manager", "one")]),
        1.0
    );
    assert_eq!(
        samples.number("sse_streams_limit", &[("manager", "other")]),
        2.0
    );
    assert_eq!(text.matches("# TYPE sse_streams_limit ").count(), 1);
    let labels = [("manager", "other"), ("reason", "kicked")];
    assert_eq!(samples.number("sse_streams_ended_total", &labels), 0.0);
}

#[test]
#[cfg(target_os = "linux")]
fn process_metrics_are_exposed() {
    let manager = Manager::builder().build().unwrap();
    let samples = Samples::read(&Metrics::of(manager).scrape(None).body);
    let number = |name| samples.number(name, &[]);
    assert!(number("process_resident_memory_bytes") > 1e5);
    assert!(number("process_virtual_memory_bytes") > number("process_resident_memory_bytes"));
    assert!(number("process_max_fds") >= 3.0);
    assert!(number("process_cpu_seconds_total") > 0.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let age = now - number("process_start_time_seconds");
    assert!((-1.0..3600.0).contains(&age), "{age}");
}
