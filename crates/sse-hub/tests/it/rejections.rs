//! A log that is reachable but rejects every publish. Publishers wait or receive the time of a
//! retry, operators learn the cause, and the state ends automatically.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use sse_testkit::{RawClient, request};
use tokio::time::{Instant, sleep};

use crate::{
    brokers::{Broker, Kind},
    hub::{Hub, TIMEOUT, command, until},
    nodes::{becomes, expect_system},
    resume::{before_fence, numbers},
};

/// Commands of Redis, split into words.
type Commands = &'static [&'static [&'static str]];

/// A logged event, or an unlogged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Logged,
    Ephemeral,
}

impl Sort {
    fn input(self, number: u64) -> Value {
        let mut input = json!({ "target": "all", "event": "number", "data": number });
        if self == Self::Ephemeral {
            input["ephemeral"] = json!(true);
        }
        input
    }
}

fn count(hub: &Hub, text: &str) -> usize {
    hub.0.output().matches(text).count()
}

/// Publishes an event. Asserts that the hub responds at once with the time of a retry.
async fn is_unavailable(hub: &Hub, input: &Value) {
    let headers = [("content-type", "application/json")];
    let path = "/api/trpc/sse.publish";
    let answer = request(hub.address(), "POST", path, &headers, input.to_string())
        .await
        .unwrap();
    assert_eq!(answer.status, 503, "{:?}", answer.text());
    assert!(
        answer
            .headers
            .get("retry-after")
            .is_some_and(|seconds| seconds.parse::<u64>().unwrap() > 0)
    );
}

async fn log_state(hub: &Hub) -> Value {
    hub.stats().await["log"]["state"].clone()
}

/// Tests one cause from begin to end. The hub must be ready before.
async fn rejects_for_a_while(
    hub: &Hub,
    stream: &mut RawClient,
    sort: Sort,
    remedy: &str,
    begin: impl AsyncFn(),
    end: impl AsyncFn(),
) {
    let (failed, resumed) = match sort {
        Sort::Logged => (
            "failed to append to the event log",
            "resumed appending to the event log",
        ),
        Sort::Ephemeral => (
            "failed to signal other nodes",
            "resumed signalling other nodes",
        ),
    };
    let before = [count(hub, failed), count(hub, resumed)];
    begin().await;
    for number in 0..30 {
        is_unavailable(hub, &sort.input(1000 + number)).await;
    }
    becomes(hub, 503).await;
    let answer = hub.request("GET", "/health/ready").await;
    assert!(
        answer.text().unwrap().contains("rejects publishes"),
        "{answer:?}"
    );
    assert_eq!(log_state(hub).await, "rejecting");
    let metrics = hub.request("GET", "/metrics").await;
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("sse_log_state{state=\"rejecting\"} 1")
    );
    let output = hub.0.output();
    assert_eq!(
        [count(hub, failed), count(hub, resumed)],
        [before[0] + 1, before[1]],
        "{output}"
    );
    assert!(output.contains(remedy), "no remedy in {output}");

    // A publish with a retry period waits.
    let mut patient = sort.input(1);
    patient["retryForMs"] = json!(30_000);
    let body = patient.to_string();
    let publishing = hub.post("publish", &body);
    let mending = async {
        sleep(Duration::from_secs(1)).await;
        end().await;
    };
    let ((status, answer), ()) = tokio::join!(publishing, mending);
    assert_eq!(status, 200, "{answer}");
    becomes(hub, 200).await;

    // The same again, but without a publish when the cause ends.
    begin().await;
    is_unavailable(hub, &sort.input(2000)).await;
    becomes(hub, 503).await;
    end().await;
    becomes(hub, 200).await;
    assert_eq!(log_state(hub).await, "current");
    let output = hub.0.output();
    assert_eq!(
        [count(hub, failed), count(hub, resumed)],
        before.map(|count| count + 2),
        "{output}"
    );

    // Streams were served all the time, and missed no event.
    hub.fence().await;
    let events = before_fence(stream).await;
    assert_eq!(numbers(&events), [1], "{events:?}");
    assert!(
        events.iter().all(|event| event.event_type == "number"),
        "{events:?}"
    );
}

#[tokio::test]
async fn publishes_wait_for_a_rejecting_redis() {
    let Some(mut broker) = Broker::new(Kind::Redis, &["--enable-protected-configs", "yes"]) else {
        return;
    };
    broker.start().await;
    broker
        .redis(&["ACL", "SETUSER", "hub", "on", ">pw", "~*", "&*", "+@all"])
        .await;
    let hub = Hub::start(&["--backplane", &broker.url_as("hub:pw@")]).await;
    becomes(&hub, 200).await;
    let mut stream = hub.stream("user=ada").await;
    let causes: &[(Sort, &str, Commands, Commands)] = &[
        (
            Sort::Logged,
            "CONFIG SET maxmemory",
            &[&["CONFIG", "SET", "maxmemory", "1"]],
            &[&["CONFIG", "SET", "maxmemory", "0"]],
        ),
        (
            Sort::Logged,
            "ACL SETUSER",
            &[&["ACL", "SETUSER", "hub", "-xadd"]],
            &[&["ACL", "SETUSER", "hub", "+xadd"]],
        ),
        (
            Sort::Logged,
            "min-replicas-to-write",
            &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
            &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
        ),
        (
            Sort::Ephemeral,
            "ACL SETUSER",
            &[&["ACL", "SETUSER", "hub", "-publish"]],
            &[&["ACL", "SETUSER", "hub", "+publish"]],
        ),
    ];
    let run = async |commands: Commands| {
        for command in commands {
            broker.redis(command).await;
        }
    };
    for (sort, remedy, begin, end) in causes {
        let (begin, end) = (async || run(begin).await, async || run(end).await);
        rejects_for_a_while(&hub, &mut stream, *sort, remedy, begin, end).await;
    }
    // The snapshot fails only after a moment.
    broker.redis(&["CONFIG", "SET", "save", "3600 1"]).await;
    broker.redis(&["CONFIG", "SET", "dir", "/proc/self"]).await;
    broker.redis(&["BGSAVE"]).await;
    becomes_rejecting(&hub).await;
    assert!(
        hub.0.output().contains("stop-writes-on-bgsave-error"),
        "{}",
        hub.0.output()
    );
    broker
        .redis(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"])
        .await;
    becomes(&hub, 200).await;
}

/// Publishes until a publish is rejected.
async fn becomes_rejecting(hub: &Hub) {
    let input = Sort::Logged.input(0).to_string();
    until(async || hub.post("publish", &input).await.0 == 503).await;
    becomes(hub, 503).await;
}

/// A log without the right to read counts as unavailable.
#[tokio::test]
async fn redis_that_rejects_reads_is_unavailable() {
    let Some(broker) = Broker::started(Kind::Redis).await else {
        return;
    };
    broker
        .redis(&["ACL", "SETUSER", "hub", "on", ">pw", "~*", "&*", "+@all"])
        .await;
    let hub = Hub::start(&["--backplane", &broker.url_as("hub:pw@")]).await;
    becomes(&hub, 200).await;
    for (right, state) in [
        ("xread", "away"),
        ("xrange", "away"),
        ("subscribe", "not_listening"),
    ] {
        let mut stream = hub.stream("user=ada").await;
        broker
            .redis(&["ACL", "SETUSER", "hub", &format!("-{right}")])
            .await;
        if right == "subscribe" {
            // Redis lets existing subscribers continue.
            broker.redis(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        }
        until(async || log_state(&hub).await == state).await;
        becomes(&hub, 503).await;
        assert!(hub.0.output().contains("ACL SETUSER"), "{}", hub.0.output());
        broker
            .redis(&["ACL", "SETUSER", "hub", &format!("+{right}")])
            .await;
        until(async || log_state(&hub).await == "current").await;
        becomes(&hub, 200).await;
        if state == "away" {
            expect_system(&mut stream, "degraded").await;
            expect_system(&mut stream, "restored").await;
        }
    }
}

/// A hub that starts while its broker rejects everything recovers once the broker accepts again.
#[tokio::test]
async fn hub_starts_with_a_full_redis() {
    let Some(broker) = Broker::started(Kind::Redis).await else {
        return;
    };
    broker.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let hub = Hub::start(&["--backplane", &broker.url()]).await;
    becomes(&hub, 503).await;
    until(async || hub.0.output().contains("CONFIG SET maxmemory")).await;
    broker.redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
    becomes(&hub, 200).await;
    hub.number(json!("all"), 1).await;
}

#[tokio::test]
async fn nats_without_its_files_starts_a_new_log() {
    let Some(broker) = Broker::started(Kind::Nats).await else {
        return;
    };
    let arguments = ["--backplane", &broker.url(), "--heartbeat-interval", "1s"];
    let (one, two) = (Hub::start(&arguments).await, Hub::start(&arguments).await);
    becomes(&one, 200).await;
    becomes(&two, 200).await;
    let mut streams = [one.stream("user=ada").await, two.stream("user=ada").await];
    let before = one.number(json!("all"), 1).await;
    broker.remove_files();
    // The server continues as long as it has the file open, and rejects everything once it needs
    // the next file.
    let start = Instant::now();
    let mut now = before.clone();
    while epoch(&now) == epoch(&before) {
        assert!(start.elapsed() < 3 * TIMEOUT, "{}", one.0.output());
        let target = json!({ "user": "nobody" });
        let input = json!({
            "target": target, "event": "large", "data": "x".repeat(900_000), "retryForMs": 30_000,
        });
        let (status, answer) = two.post("publish", &input.to_string()).await;
        if status == 200 {
            answer["result"]["data"]["id"]
                .as_str()
                .unwrap()
                .clone_into(&mut now);
            continue;
        }
        // The new log already has the event, and the gap up to the head of that log covers it.
        // Nobody received the event, so the publisher gets an error.
        assert_eq!(status, 503, "{answer}");
        assert!(
            answer.to_string().contains("was not delivered in time"),
            "{answer}"
        );
    }
    for hub in [&one, &two] {
        becomes(hub, 200).await;
    }
    // A node that has not noticed the new log yet responds with 503, whether or not the log has the
    // event.
    let input = json!({ "target": "all", "event": "number", "data": 3 }).to_string();
    let id = loop {
        let (status, answer) = one.post("publish", &input).await;
        if status == 200 {
            break answer["result"]["data"]["id"].as_str().unwrap().to_owned();
        }
        assert_eq!(status, 503, "{answer}");
        assert!(start.elapsed() < 6 * TIMEOUT, "{}", one.0.output());
        sleep(Duration::from_millis(200)).await;
    };
    for stream in &mut streams {
        expect_system(stream, "gap").await;
    }
    assert_eq!(epoch(&id), epoch(&now));
}

fn epoch(id: &str) -> &str {
    id.rsplit_once('-').unwrap().0
}

/// Creates the command of a hub with a directory on a disk that is nearly full: a file system in a
/// mount namespace of the hub. Returns `None` if the system has no such namespaces.
fn on_a_small_disk(folder: &Path) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size=512k none '{}'", folder.display());
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", &mount])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: no namespaces for a small disk");
        return None;
    }
    let hub = command();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    command.arg(hub.get_program()).args(hub.get_args());
    hub.get_envs().for_each(|(name, value)| {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    });
    Some(command)
}

#[tokio::test]
async fn publishes_wait_for_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut command) = on_a_small_disk(folder.path()) else {
        return;
    };
    let log = folder.path().join("events");
    command.args(["--backplane", &format!("file:{}", log.display())]);
    let hub = Hub::spawn(command).await;
    becomes(&hub, 200).await;
    let mut stream = hub.stream("user=ada").await;
    // The path in the namespace of the hub.
    let there = Path::new("/proc")
        .join(hub.0.id().unwrap().to_string())
        .join("root");
    let filler = there
        .join(folder.path().strip_prefix("/").unwrap())
        .join("filler");
    let begin = async || {
        // Data that fit into the current page of the file can still be written.
        std::fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
        let page = json!({ "target": { "user": "nobody" }, "event": "e", "data": "x".repeat(300) })
            .to_string();
        until(async || hub.post("publish", &page).await.0 == 503).await;
    };
    let end = async || std::fs::remove_file(&filler).unwrap();
    begin().await;
    end().await;
    becomes(&hub, 200).await;
    rejects_again(&hub, &mut stream, begin, end).await;
}

/// Like [`rejects_for_a_while`], but the first rejection is part of `begin`.
async fn rejects_again(
    hub: &Hub,
    stream: &mut RawClient,
    begin: impl AsyncFn(),
    end: impl AsyncFn(),
) {
    let failed = "failed to append to the event log";
    let before = count(hub, failed);
    begin().await;
    for number in 0..30 {
        let mut input = Sort::Logged.input(1000 + number);
        // Larger than the rest of a page.
        input["target"] = json!({ "user": "nobody" });
        input["event"] = json!("e");
        input["data"] = json!("x".repeat(5000));
        is_unavailable(hub, &input).await;
    }
    becomes(hub, 503).await;
    assert_eq!(log_state(hub).await, "rejecting");
    assert_eq!(count(hub, failed), before + 1, "{}", hub.0.output());
    assert!(
        hub.0.output().contains("make room on the disk"),
        "{}",
        hub.0.output()
    );
    let mut patient =
        json!({ "target": "all", "event": "number", "data": 1, "retryForMs": 30_000 });
    patient["key"] = json!("k");
    let body = patient.to_string();
    let publishing = hub.post("publish", &body);
    let mending = async {
        sleep(Duration::from_secs(1)).await;
        end().await;
    };
    let ((status, answer), ()) = tokio::join!(publishing, mending);
    assert_eq!(status, 200, "{answer}");
    becomes(hub, 200).await;
    hub.fence().await;
    assert_eq!(numbers(&before_fence(stream).await), [1]);
}
