//! Sentinels that name the current primary.

use std::time::Duration;

use redis::Value;
use sse_core::backplane::Backplane;
use sse_redis::RedisBackplane;

use crate::{
    redis_server::{RedisServer, patient, words},
    steps::{
        append, beginning, end_of, entry, eventually, expect_other_log, fails, insist, is_refused,
        is_unavailable, read, take,
    },
};

/// A primary, a replica, and three sentinels that watch them.
struct Guarded {
    primary: RedisServer,
    replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

const SENTINELS: usize = 3;

impl Guarded {
    /// Starts with a password for the servers, and another one for the sentinels. Sentinels give up
    /// a server that does not reply within `down_after`.
    async fn start(down_after: Duration) -> Option<Self> {
        let password = ["--requirepass", "s3rver", "--masterauth", "s3rver"];
        let primary = RedisServer::start(&password).await?;
        let port = primary.port.to_string();
        let extra = [&password[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let replica = RedisServer::start(&extra).await?;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            sentinels.push(RedisServer::start_sentinel(&settings(primary.port, down_after)).await?);
        }
        let guarded = Self {
            primary,
            replica,
            sentinels,
        };
        guarded.settle().await;
        Some(guarded)
    }

    /// Waits until all servers and sentinels know each other.
    async fn settle(&self) {
        for sentinel in &self.sentinels {
            eventually("sentinels", async || {
                let facts = text(&sentinel.ask_as(":s3ntinel@", "SENTINEL MASTER main").await);
                let fact = |name: &str| {
                    let mut facts = facts.iter().skip_while(|fact| *fact != name);
                    facts.nth(1).cloned().unwrap_or_default()
                };
                let is_complete = fact("num-other-sentinels") == "2" && fact("num-slaves") == "1";
                (is_complete && fact("flags") == "master").then_some(())
            })
            .await;
        }
        self.replicated().await;
    }

    async fn replicated(&self) {
        let offset = |info: &str, name: &str| -> Option<u64> {
            info.lines().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix(':')?
                    .trim()
                    .parse()
                    .ok()
            })
        };
        let written = info(&self.primary).await;
        eventually("replication", async || {
            let info = info(&self.replica).await;
            let is_synced = info.contains("master_link_status:up");
            let all = offset(&info, "slave_repl_offset") >= offset(&written, "master_repl_offset");
            (is_synced && all).then_some(())
        })
        .await;
    }

    fn url(&self) -> String {
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        format!(
            "redis+sentinel://:s3rver@{}/main?sentinel_password=s3ntinel",
            hosts.join(",")
        )
    }

    async fn node(&self) -> RedisBackplane {
        RedisBackplane::connect(&self.url(), patient())
            .await
            .unwrap()
    }
}

/// Returns `INFO` of a server. Sentinels close all connections of a server whose role they change.
async fn info(server: &RedisServer) -> String {
    eventually("an answer", async || {
        let mut client = server.client_as(":s3rver@").await.ok()?;
        let answer: redis::RedisResult<Value> =
            words("INFO replication").query_async(&mut client).await;
        Some(text(&answer.ok()?).concat())
    })
    .await
}

fn text(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(text).collect(),
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        _ => vec![],
    }
}

/// Long enough that a server which only waits for a processor is not given up.
const LONG: Duration = Duration::from_secs(8);

/// No server is given up.
const NEVER: Duration = Duration::from_secs(3600);

fn settings(port: u16, down_after: Duration) -> String {
    let down_after = down_after.as_millis();
    format!(
        "requirepass s3ntinel\nsentinel sentinel-pass s3ntinel\nsentinel monitor main 127.0.0.1 {port} 2\n\
         sentinel auth-pass main s3rver\nsentinel down-after-milliseconds main {down_after}\n\
         sentinel failover-timeout main 10000\n"
    )
}

#[tokio::test]
async fn failover_to_complete_replica_keeps_epoch() {
    let Some(mut guarded) = Guarded::start(LONG).await else {
        return;
    };
    let (node, other) = (guarded.node().await, guarded.node().await);
    assert!(!format!("{node:?}").contains("s3"), "{node:?}");
    let start = beginning(&node).await;
    let mut tail = other.tail(&start).await.unwrap();
    let mut signals = other.signals().await.unwrap();
    append(&node, "before").await;
    assert_eq!(take(&mut tail, 1).await, ["before"]);
    guarded.replicated().await;
    guarded.primary.kill();
    assert!(is_unavailable(&end_of(&mut tail).await));
    assert!(is_unavailable(&fails(signals.next()).await));
    let after = insist(&node, "after").await;
    assert_eq!(after.cursor.epoch, start.epoch);
    assert!(
        info(&guarded.replica).await.contains("role:master"),
        "a real failover"
    );
    let all = eventually("a page", async || {
        other.read(&start, crate::steps::ALL).await.ok()
    })
    .await;
    assert_eq!(crate::steps::texts(&all.entries), ["before", "after"]);
    let mut tail = eventually("a tail", async || other.tail(&start).await.ok()).await;
    assert_eq!(take(&mut tail, 2).await, ["before", "after"]);
}

#[tokio::test]
async fn failover_with_loss_changes_epoch() {
    let Some(guarded) = Guarded::start(NEVER).await else {
        return;
    };
    let node = guarded.node().await;
    let kept = append(&node, "kept").await;
    guarded.replicated().await;
    // The replica receives nothing more from the primary, which still runs. The replica is promoted
    // without the last entry.
    guarded
        .replica
        .ask_as(":s3rver@", "CONFIG SET masterauth wrong")
        .await;
    guarded
        .primary
        .ask_as(":s3rver@", "CLIENT KILL TYPE replica")
        .await;
    let lost = append(&node, "lost").await;
    let failover = async || {
        let mut client = guarded.sentinels[0].client_as(":s3ntinel@").await.ok()?;
        let answer: redis::RedisResult<Value> = words("SENTINEL FAILOVER main")
            .query_async(&mut client)
            .await;
        answer.ok()
    };
    eventually("a failover", failover).await;
    // Until sentinels change its role, the old primary accepts appends.
    for (server, role) in [
        (&guarded.replica, "role:master"),
        (&guarded.primary, "role:slave"),
    ] {
        eventually(role, async || {
            info(server).await.contains(role).then_some(())
        })
        .await;
    }
    let after = insist(&node, "after").await;
    assert_ne!(after.cursor.epoch, kept.epoch);
    for cursor in [&kept, &lost] {
        expect_other_log(&node, cursor).await;
    }
}

#[tokio::test]
async fn unreachable_sentinels_are_tolerated() {
    let Some(mut guarded) = Guarded::start(NEVER).await else {
        return;
    };
    let url = guarded.url();
    guarded.sentinels.truncate(1);
    let node = RedisBackplane::connect(&url, patient()).await.unwrap();
    append(&node, "x").await;
    guarded.sentinels.clear();
    let error = fails(RedisBackplane::connect(&url, patient())).await;
    assert!(is_unavailable(&error), "{error:?}");
    // A connected node needs no sentinels.
    append(&node, "y").await;
    assert_eq!(read(&node, &beginning(&node).await).await, ["x", "y"]);
}

#[tokio::test]
async fn rejection_by_sentinels_is_reported() {
    let Some(guarded) = Guarded::start(NEVER).await else {
        return;
    };
    for (from, to) in [
        ("/main", "/other"),
        ("s3ntinel", "wr0ng"),
        (":s3rver", ":wr0ng"),
    ] {
        let url = guarded.url().replace(from, to);
        let error = fails(RedisBackplane::connect(&url, patient())).await;
        assert!(is_refused(&error), "{to}: {error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3") && !shown.contains("wr0ng"), "{shown}");
        let node = RedisBackplane::new(&url, patient()).unwrap();
        assert!(is_refused(&fails(node.append(entry("x"))).await));
    }
}
