//! Losses of acknowledged entries.

use sse_core::backplane::{Backplane, BackplaneError, Cursor, Epoch, Position};

use crate::{
    redis_server::RedisServer,
    steps::{
        append, beginning, end_of, entry, eventually, expect_other_log, fails, is_refused,
        is_unavailable, keyed, read, take,
    },
};

/// Loses the log of a running node, in some way.
async fn lose_the_log(way: &str) {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let before = append(&node, "before").await;
    let mut tail = node.tail(&beginning(&node).await).await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["before"]);
    server.ask(way).await;
    // The first attempt works, without a request in between.
    let after = append(&node, "after").await;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(node.bounds().await.unwrap().head, after.position);
    expect_other_log(&node, &before).await;
    let BackplaneError::Epoch { current } = end_of(&mut tail).await else {
        panic!("unexpected end of the tail")
    };
    assert_eq!(current, after.epoch);
    assert_eq!(
        read(&node, &Cursor::new(current, Position::ZERO)).await,
        ["after"]
    );
}

#[tokio::test]
async fn flush_between_appends_changes_epoch() {
    lose_the_log("FLUSHALL").await;
}

#[tokio::test]
async fn delete_between_appends_changes_epoch() {
    lose_the_log("DEL {sse}:log").await;
}

#[tokio::test]
async fn rename_between_appends_changes_epoch() {
    lose_the_log("RENAME {sse}:log elsewhere").await;
}

#[tokio::test]
async fn log_recreated_by_other_node_changes_epoch() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let (node, other) = (server.node().await, server.node().await);
    let before = append(&node, "before").await;
    server.ask("DEL {sse}:log").await;
    let others = append(&other, "other").await;
    let after = append(&node, "after").await;
    assert_eq!(after.epoch, others.epoch, "nodes have different epochs");
    assert!(after.position > others.position);
    expect_other_log(&node, &before).await;
}

#[tokio::test]
async fn eviction_changes_epoch() {
    let Some(server) = RedisServer::start(&["--maxmemory-policy", "allkeys-random"]).await else {
        return;
    };
    let node = server.node().await;
    let before = append(&node, &"x".repeat(100_000)).await;
    // Less than Redis needs for itself, so that every key is evicted at the next write.
    server.ask("CONFIG SET maxmemory 1000").await;
    eventually("eviction", async || {
        node.append(entry("no room")).await.ok();
        let mut client = server.client().await.unwrap();
        let there: redis::RedisResult<i64> = crate::redis_server::words("EXISTS {sse}:log")
            .query_async(&mut client)
            .await;
        (there == Ok(0)).then_some(())
    })
    .await;
    server.ask("CONFIG SET maxmemory 0").await;
    let after = append(&node, "after").await;
    assert_ne!(after.epoch, before.epoch);
    expect_other_log(&node, &before).await;
}

#[tokio::test]
async fn full_memory_blocks_appends_without_loss() {
    let Some(server) = RedisServer::start(&["--maxmemory-policy", "noeviction"]).await else {
        return;
    };
    let node = server.node().await;
    let before = append(&node, "before").await;
    server.ask("CONFIG SET maxmemory 1000").await;
    for entry in [entry("no room"), keyed("no room", "key")] {
        let error = fails(node.append(entry)).await;
        assert!(matches!(error, BackplaneError::Blocked { .. }), "{error:?}");
    }
    server.ask("CONFIG SET maxmemory 0").await;
    let after = node.append(keyed("after", "key")).await.unwrap();
    assert!(!after.duplicate && after.cursor.epoch == before.epoch);
    assert_eq!(read(&node, &before).await, ["after"]);
}

#[tokio::test]
async fn empty_server_after_restart_changes_epoch() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "no"]).await else {
        return;
    };
    let node = server.node().await;
    let before = append(&node, "before").await;
    let mut tail = node.tail(&before).await.unwrap();
    server.kill();
    assert!(is_unavailable(&end_of(&mut tail).await));
    server.resume().await;
    let after = eventually("an append", async || node.append(entry("after")).await.ok()).await;
    assert_ne!(after.cursor.epoch, before.epoch);
    expect_other_log(&node, &before).await;
}

#[tokio::test]
async fn tail_detects_old_copy_of_log() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let kept = append(&node, "kept").await;
    server.ask("COPY {sse}:log copy").await;
    append(&node, "lost").await;
    let mut tail = node.tail(&kept).await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["lost"]);
    server.ask("RENAME copy {sse}:log").await;
    let error = end_of(&mut tail).await;
    assert!(matches!(error, BackplaneError::Epoch { .. }), "{error:?}");
    let after = append(&node, "after").await;
    assert_ne!(after.epoch, kept.epoch);
    expect_other_log(&node, &kept).await;
}

/// Clients can send any cursor. A page must be returned for it, and no client can change the log
/// for others by it.
#[tokio::test]
async fn unknown_position_keeps_epoch() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    server.ask("XADD {sse}:log NOMKSTREAM 1000-0 p first").await;
    let last = append(&node, "last").await;
    let made_up = Cursor::new(last.epoch.clone(), Position::new(1000, 7));
    assert_eq!(read(&node, &made_up).await, ["last"]);
    assert_eq!(node.bounds().await.unwrap().epoch, last.epoch);
    let other = Cursor::new(Epoch::random(), last.position);
    expect_other_log(&node, &other).await;
}

/// A node reached its own cursor, so the entry at the cursor existed.
#[tokio::test]
async fn tail_from_missing_entry_changes_epoch() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    server.ask("XADD {sse}:log NOMKSTREAM 1000-0 p first").await;
    let before = append(&node, "last").await;
    let lost = Cursor::new(before.epoch.clone(), Position::new(1000, 7));
    let error = fails(node.tail(&lost)).await;
    let current = node.bounds().await.unwrap().epoch;
    assert!(
        matches!(error, BackplaneError::Epoch { current: found } if found == current),
        "unexpected error"
    );
    assert_ne!(current, before.epoch);
}

#[tokio::test]
async fn deleted_entry_is_reported_as_trim() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    let mut cursors = Vec::new();
    for number in 0..5 {
        cursors.push(append(&node, &number.to_string()).await);
    }
    let position = cursors[2].position;
    server
        .ask(&format!(
            "XDEL {{sse}}:log {}-{}",
            position.major(),
            position.minor()
        ))
        .await;
    for cursor in [&start, &cursors[1]] {
        let error = fails(node.tail(cursor)).await;
        assert!(
            matches!(error, BackplaneError::Trimmed { trimmed } if trimmed == position),
            "{error:?}"
        );
    }
    assert_eq!(read(&node, &cursors[2]).await, ["3", "4"]);
}

#[tokio::test]
async fn clock_set_back_keeps_order() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    let before = append(&node, "before").await;
    // The clock was an hour ahead.
    let ahead = Position::new(before.position.major() + 3_600_000, 0);
    server
        .ask(&format!(
            "XADD {{sse}}:log NOMKSTREAM {}-0 p ahead",
            ahead.major()
        ))
        .await;
    let mut last = ahead;
    for _ in 0..3 {
        let after = append(&node, "after").await;
        assert!(
            after.position > last && after.epoch == start.epoch,
            "{last} then {after}"
        );
        last = after.position;
    }
    let mut tail = node.tail(&start).await.unwrap();
    assert_eq!(
        take(&mut tail, 5).await,
        ["before", "ahead", "after", "after", "after"]
    );
}

#[tokio::test]
async fn foreign_data_at_log_key_is_rejected() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    for foreign in ["SET {sse}:log x", "XADD {sse}:log * a b"] {
        server.ask("FLUSHALL").await;
        server.ask(foreign).await;
        let error = fails(sse_redis::RedisBackplane::connect(
            &server.url(),
            Default::default(),
        ))
        .await;
        assert!(is_refused(&error), "{foreign}: {error:?}");
    }
    // The owner deletes the log.
    server.ask("FLUSHALL").await;
    append(&server.node().await, "ours").await;
}

#[tokio::test]
async fn foreign_entries_are_skipped() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    for number in 0..600 {
        server
            .ask(&format!("XADD {{sse}}:log * number {number}"))
            .await;
    }
    append(&node, "ours").await;
    assert_eq!(read(&node, &start).await, ["ours"]);
    let mut tail = node.tail(&start).await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["ours"]);
}

/// Found by the benchmark: the search for entries that are too old went through the whole log every
/// second, although no entry was too old.
#[tokio::test]
async fn young_log_is_not_searched_for_old_entries() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    for text in ["one", "two"] {
        append(&node, text).await;
        // This call trims the log.
        node.bounds().await.unwrap();
    }
    assert_eq!(read(&node, &start).await, ["one", "two"]);
    let redis::Value::BulkString(calls) = server.ask("INFO commandstats").await else {
        panic!("the reply is not text")
    };
    let calls = String::from_utf8(calls).unwrap();
    assert!(
        calls.contains("cmdstat_evalsha:") && !calls.contains("cmdstat_xrevrange:"),
        "{calls}"
    );
}
