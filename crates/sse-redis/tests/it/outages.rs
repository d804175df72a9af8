//! Servers that cannot be reached, or that do not reply.

use std::time::Duration;

use bytes::Bytes;
use sse_core::backplane::{Backplane, BackplaneError, Lease};
use sse_redis::{RedisBackplane, RedisConfig};

use crate::{
    redis_server::{RedisServer, free_port, patient, url_of},
    steps::{
        ALL, append, beginning, end_of, entry, eventually, fails, insist, is_unavailable, keyed,
        read, take,
    },
};

/// Checks that every operation fails in time, and works again afterwards.
async fn silence(node: &RedisBackplane, begin: impl AsyncFnOnce(), end: impl AsyncFnOnce()) {
    let start = beginning(node).await;
    append(node, "before").await;
    let mut tail = node.tail(&start).await.unwrap();
    let mut signals = node.signals().await.unwrap();
    assert_eq!(take(&mut tail, 1).await, ["before"]);
    begin().await;
    assert!(is_unavailable(
        &fails(node.append(keyed("meanwhile", "meanwhile"))).await
    ));
    assert!(is_unavailable(&end_of(&mut tail).await));
    assert!(is_unavailable(&fails(signals.next()).await));
    assert!(is_unavailable(&fails(node.bounds()).await));
    assert!(is_unavailable(&fails(node.read(&start, ALL)).await));
    assert!(is_unavailable(&fails(node.tail(&start)).await));
    assert!(is_unavailable(&fails(node.signals()).await));
    assert!(is_unavailable(&fails(node.signal(Bytes::new())).await));
    assert!(is_unavailable(&fails(node.leases()).await));
    end().await;
    insist(node, "meanwhile").await;
    let after = insist(node, "after").await;
    assert_eq!(after.cursor.epoch, start.epoch);
    assert_eq!(read(node, &start).await, ["before", "meanwhile", "after"]);
    let mut tail = eventually("a tail", async || node.tail(&start).await.ok()).await;
    assert_eq!(take(&mut tail, 3).await, ["before", "meanwhile", "after"]);
}

fn impatient() -> RedisConfig {
    // Long enough for a reply on a busy machine, while a server runs.
    RedisConfig::default().response_timeout(Duration::from_secs(3))
}

#[tokio::test]
async fn stopped_server_is_detected() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node_with(impatient()).await;
    silence(&node, async || server.pause(), async || server.go_on()).await;
}

#[tokio::test]
async fn silent_connection_is_detected() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let proxy = server.proxy().await;
    let node = RedisBackplane::connect(&url_of(&proxy), impatient())
        .await
        .unwrap();
    silence(&node, async || proxy.freeze(), async || proxy.thaw()).await;
}

#[tokio::test]
async fn retry_after_lost_reply_appends_once() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let proxy = server.proxy().await;
    let node = RedisBackplane::connect(&url_of(&proxy), impatient())
        .await
        .unwrap();
    let before = append(&node, "before").await;
    proxy.freeze_answers();
    assert!(is_unavailable(
        &fails(node.append(keyed("once", "key"))).await
    ));
    proxy.thaw();
    let again = eventually("an append", async || {
        node.append(keyed("once", "key")).await.ok()
    })
    .await;
    assert!(again.duplicate, "{again:?}");
    assert_eq!(read(&node, &before).await, ["once"]);
}

#[tokio::test]
async fn cut_connections_are_reestablished() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let proxy = server.proxy().await;
    let node = RedisBackplane::connect(&url_of(&proxy), patient())
        .await
        .unwrap();
    let start = beginning(&node).await;
    let mut expected = Vec::new();
    for round in 0..5 {
        proxy.cut();
        let text = round.to_string();
        insist(&node, &text).await;
        expected.push(text);
        assert_eq!(read(&node, &start).await, expected);
    }
    assert_eq!(node.bounds().await.unwrap().epoch, start.epoch);
}

#[tokio::test]
async fn node_waits_for_server_start() {
    let port = free_port();
    let url = format!("redis://:secret@127.0.0.1:{port}");
    assert!(is_unavailable(
        &fails(RedisBackplane::connect(&url, RedisConfig::default())).await
    ));
    let node = RedisBackplane::new(&url, RedisConfig::default()).unwrap();
    let mut last = Duration::ZERO;
    for _ in 0..200 {
        let BackplaneError::Unavailable {
            retry_after,
            source,
        } = fails(node.append(entry("x"))).await
        else {
            panic!("unexpected error");
        };
        assert!(retry_after <= Duration::from_secs(2), "{retry_after:?}");
        assert!(!format!("{source} {source:?} {node:?}").contains("secret"));
        last = retry_after.max(last);
    }
    assert!(last > Duration::ZERO);
}

#[tokio::test]
async fn appends_beyond_limit_are_rejected() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node_with(RedisConfig::default().pipeline(8)).await;
    append(&node, "before").await;
    server.pause();
    let mut appends = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let node = node.clone();
        appends.spawn(async move { node.append(entry("x")).await });
    }
    let results = appends.join_all().await;
    let count = |is: fn(&BackplaneError) -> bool| {
        results
            .iter()
            .filter(|result| result.as_ref().is_err_and(is))
            .count()
    };
    assert_eq!(
        count(|error| matches!(error, BackplaneError::Busy)),
        12,
        "{results:?}"
    );
    assert_eq!(count(is_unavailable), 8, "{results:?}");
    server.go_on();
    insist(&node, "after").await;
}

/// Found by the benchmark: the room of an append was released a little after its reply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequential_appends_need_one_slot() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node_with(patient().pipeline(1)).await;
    for number in 0..500 {
        append(&node, &number.to_string()).await;
    }
}

#[tokio::test]
async fn oversized_or_misnamed_input_is_rejected() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node_with(patient().max_payload(10)).await;
    append(&node, "0123456789").await;
    for error in [
        fails(node.append(entry("0123456789a"))).await,
        fails(node.signal("0123456789a".into())).await,
    ] {
        assert!(
            matches!(
                error,
                BackplaneError::TooLarge {
                    size: 11,
                    limit: 10
                }
            ),
            "{error:?}"
        );
    }
    let lease = |node: &str, size| Lease {
        node: node.into(),
        payload: Bytes::from(vec![0; size]),
    };
    for name in ["", "a-b", &"a".repeat(65)] {
        let error = fails(node.hold_lease(lease(name, 0), Duration::from_secs(1))).await;
        assert!(
            matches!(error, BackplaneError::Rejected { .. }),
            "{error:?}"
        );
    }
    let error = fails(node.hold_lease(lease("a", (64 << 10) + 1), Duration::from_secs(1))).await;
    assert!(
        matches!(error, BackplaneError::TooLarge { .. }),
        "{error:?}"
    );
    assert_eq!(node.leases().await.unwrap(), []);
}

/// The server holds the scripts, and can lose them.
#[tokio::test]
async fn flushed_scripts_are_reloaded() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    node.append(keyed("before", "before")).await.unwrap();
    server.ask("SCRIPT FLUSH").await;
    node.append(keyed("after", "after")).await.unwrap();
    server.ask("SCRIPT FLUSH").await;
    assert_eq!(read(&node, &start).await, ["before", "after"]);
    assert_eq!(node.leases().await.unwrap(), []);
}
