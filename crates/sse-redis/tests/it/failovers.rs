//! Failovers to a replica.

use sse_core::{
    Retention,
    backplane::{Backplane, BackplaneError, Cursor, Position},
};
use sse_redis::{RedisBackplane, Replicas};
use sse_testkit::Proxy;

use crate::{
    redis_server::{RedisServer, patient, url_of},
    steps::{
        append, beginning, end_of, eventually, expect_other_log, fails, insist, is_unavailable,
        read, take,
    },
};

/// A primary with a replica that has all data, and an address that leads to the current primary.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
    name: Proxy,
}

impl Pair {
    async fn start() -> Option<Self> {
        let primary = RedisServer::start(&[]).await?;
        let replica =
            RedisServer::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).await?;
        let name = primary.proxy().await;
        let pair = Self {
            primary,
            replica,
            name,
        };
        pair.replicated().await;
        Some(pair)
    }

    async fn node(&self) -> RedisBackplane {
        RedisBackplane::connect(&url_of(&self.name), patient())
            .await
            .unwrap()
    }

    /// Waits until the replica has everything that the primary has. `WAIT` would not do: it waits
    /// only for writes of its own connection.
    async fn replicated(&self) {
        let written = offset(&self.primary, "master_repl_offset").await;
        eventually("replication", async || {
            (offset(&self.replica, "slave_repl_offset").await? >= written?).then_some(())
        })
        .await;
    }

    /// Cuts the replica off from the primary.
    async fn part(&self) {
        self.replica.ask("REPLICAOF NO ONE").await;
    }

    /// Promotes the replica.
    fn fail_over(&self) {
        self.name.set_upstreams([self.replica.address()]);
        self.name.cut();
    }
}

/// Returns a server's offset in the history of the data, or `None` for a replica that has not
/// received the initial data yet.
async fn offset(server: &RedisServer, name: &str) -> Option<u64> {
    let redis::Value::BulkString(info) = server.ask("INFO replication").await else {
        panic!("the reply is not text")
    };
    let info = String::from_utf8(info).unwrap();
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let is_synced = field("role") == Some("master") || field("master_link_status") == Some("up");
    is_synced.then(|| field(name).unwrap().parse().unwrap())
}

/// Returns the epoch that a node is in, as soon as the node can report it.
async fn epoch(node: &RedisBackplane) -> sse_core::backplane::Epoch {
    eventually("bounds", async || node.bounds().await.ok())
        .await
        .epoch
}

#[tokio::test]
async fn failover_without_loss_keeps_epoch() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let (node, other) = (pair.node().await, pair.node().await);
    let start = beginning(&node).await;
    let mut tail = other.tail(&start).await.unwrap();
    append(&node, "before").await;
    assert_eq!(take(&mut tail, 1).await, ["before"]);
    pair.replicated().await;
    pair.part().await;
    pair.fail_over();
    assert!(is_unavailable(&end_of(&mut tail).await));
    let after = insist(&node, "after").await;
    assert_eq!(after.cursor.epoch, start.epoch);
    let all = eventually("a page", async || {
        other.read(&start, crate::steps::ALL).await.ok()
    })
    .await;
    assert_eq!(crate::steps::texts(&all.entries), ["before", "after"]);
}

#[tokio::test]
async fn failover_with_loss_changes_epoch_on_all_nodes() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let (node, other) = (pair.node().await, pair.node().await);
    let kept = append(&node, "kept").await;
    pair.replicated().await;
    pair.part().await;
    let lost = append(&node, "lost").await;
    let mut tail = other.tail(&kept).await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["lost"]);
    pair.fail_over();
    assert!(is_unavailable(&end_of(&mut tail).await));
    let new = epoch(&node).await;
    assert_ne!(new, kept.epoch);
    assert_eq!(epoch(&other).await, new, "nodes have different epochs");
    for node in [&node, &other] {
        expect_other_log(node, &kept).await;
        expect_other_log(node, &lost).await;
    }
    assert_eq!(insist(&other, "after").await.cursor.epoch, new);
    assert_eq!(
        read(&node, &Cursor::new(new, Position::ZERO)).await,
        ["kept", "after"]
    );
}

/// Only one connection of one node received the lost entry, and newer entries follow its position
/// when the node checks.
#[tokio::test]
async fn newer_entries_do_not_hide_lost_ones() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let (node, other) = (pair.node().await, pair.node().await);
    let kept = append(&node, "kept").await;
    let mut tail = other.tail(&kept).await.unwrap();
    pair.replicated().await;
    pair.part().await;
    append(&node, "lost").await;
    // A node that joins later continues with the replica, and knows of no loss.
    let late = pair.replica.node().await;
    let mut late_tail = late.tail(&kept).await.unwrap();
    for text in ["new", "newer"] {
        assert_eq!(append(&late, text).await.epoch, kept.epoch);
    }
    assert_eq!(take(&mut late_tail, 2).await, ["new", "newer"]);
    pair.fail_over();
    let new = epoch(&node).await;
    assert_ne!(new, kept.epoch);
    for node in [&other, &late] {
        assert_eq!(epoch(node).await, new);
    }
    let error = end_of(&mut late_tail).await;
    assert!(matches!(error, BackplaneError::Epoch { current } if current == new));
    // The tail received the lost entry, or was disconnected.
    let error = loop {
        if let Err(error) = crate::steps::next(&mut tail).await {
            break error;
        }
    };
    assert!(is_unavailable(&error), "{error:?}");
    expect_other_log(&other, &kept).await;
    assert_eq!(append(&late, "after").await.epoch, new);
}

#[tokio::test]
async fn replaced_entry_does_not_hide_loss() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let node = pair.node().await;
    let kept = append(&node, "kept").await;
    pair.replicated().await;
    pair.part().await;
    let lost = append(&node, "lost").await;
    let id = format!("{}-{}", lost.position.major(), lost.position.minor());
    // As with a clock that was set back.
    pair.replica
        .ask(&format!("XADD {{sse}}:log NOMKSTREAM {id} p other"))
        .await;
    pair.fail_over();
    assert_ne!(epoch(&node).await, kept.epoch);
    expect_other_log(&node, &lost).await;
}

/// A tail that received no lost entry continues. Entries that it misses are reported by the epoch
/// that other nodes set.
#[tokio::test]
async fn idle_node_adopts_epoch_after_loss() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let (node, idle) = (pair.node().await, pair.replica_reader().await);
    let kept = append(&node, "kept").await;
    pair.replicated().await;
    pair.part().await;
    append(&node, "lost").await;
    let mut tail = idle.tail(&kept).await.unwrap();
    pair.fail_over();
    let new = epoch(&node).await;
    assert_ne!(new, kept.epoch);
    let error = end_of(&mut tail).await;
    assert!(matches!(error, BackplaneError::Epoch { current } if current == new));
    let appended = eventually("an append", async || {
        idle.append(crate::steps::entry("after")).await.ok()
    })
    .await;
    assert_eq!(appended.cursor.epoch, new);
}

impl Pair {
    /// Returns a node that will connect to the replica, which must be cut off by then.
    async fn replica_reader(&self) -> RedisBackplane {
        RedisBackplane::new(&self.replica.url(), patient()).unwrap()
    }
}

/// Entries that are trimmed are not lost, even if the server has changed by then.
#[tokio::test]
async fn failover_after_trim_keeps_epoch() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let config = patient().retention(Retention::default().age(std::time::Duration::from_secs(1)));
    let node = RedisBackplane::connect(&url_of(&pair.name), config)
        .await
        .unwrap();
    let last = append(&node, "last").await;
    eventually("trimming", async || {
        (node.bounds().await.ok()?.trimmed == last.position).then_some(())
    })
    .await;
    pair.replicated().await;
    pair.part().await;
    pair.fail_over();
    assert_eq!(epoch(&node).await, last.epoch);
    assert_eq!(insist(&node, "after").await.cursor.epoch, last.epoch);
    assert_eq!(read(&node, &last).await, ["after"]);
}

#[tokio::test]
async fn demoted_server_is_abandoned() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let node = pair.node().await;
    let start = beginning(&node).await;
    append(&node, "before").await;
    let mut tail = node.tail(&start).await.unwrap();
    let mut signals = node.signals().await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["before"]);
    pair.replicated().await;
    pair.part().await;
    // This ends no connection.
    pair.primary
        .ask(&format!("REPLICAOF 127.0.0.1 {}", pair.replica.port))
        .await;
    assert!(is_unavailable(&end_of(&mut tail).await));
    assert!(is_unavailable(&fails(signals.next()).await));
    assert!(is_unavailable(
        &fails(node.append(crate::steps::entry("nowhere"))).await
    ));
    pair.fail_over();
    assert_eq!(insist(&node, "after").await.cursor.epoch, start.epoch);
    assert_eq!(read(&node, &start).await, ["before", "after"]);
}

#[tokio::test]
async fn append_waits_for_replicas() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let replicas = |count, ms| Replicas {
        count,
        within: std::time::Duration::from_millis(ms),
    };
    let config = patient().replicas(replicas(1, 1_500));
    let node = RedisBackplane::connect(&url_of(&pair.name), config)
        .await
        .unwrap();
    insist(&node, "on two").await;
    let config = patient().replicas(replicas(2, 100));
    let strict = RedisBackplane::connect(&url_of(&pair.name), config)
        .await
        .unwrap();
    let error = fails(strict.append(crate::steps::keyed("on too few", "key"))).await;
    let BackplaneError::Unavailable { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(
        source
            .to_string()
            .ends_with(" of 2 replicas have the entry"),
        "{source}"
    );
    assert_eq!(
        read(&node, &beginning(&node).await).await,
        ["on two", "on too few"]
    );
    let late = patient().replicas(replicas(1, 7_000));
    assert!(
        RedisBackplane::new(&url_of(&pair.name), late).is_err(),
        "the timeout for replicas is accepted"
    );
}
