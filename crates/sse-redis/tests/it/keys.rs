//! Counts of idempotency keys.

use sse_core::{
    UserId,
    access::KeyScope,
    backplane::{Backplane, BackplaneError, EntryKey, NewEntry},
    config::{KeyBound, KeyLimits, KeysFull},
};
use sse_redis::RedisBackplane;

use crate::{redis_server::RedisServer, steps::entry};

fn user(name: &str) -> KeyScope {
    KeyScope::User(UserId::new(name).unwrap())
}

async fn append(
    node: &RedisBackplane,
    scope: &KeyScope,
    key: impl ToString,
    limits: KeyLimits,
) -> Result<bool, KeysFull> {
    let key = EntryKey::new(scope, &key.to_string(), limits).unwrap();
    match node
        .append(NewEntry {
            key: Some(key),
            ..entry("x")
        })
        .await
    {
        Ok(appended) => Ok(appended.duplicate),
        Err(BackplaneError::KeysFull(full)) => Err(full),
        Err(error) => panic!("{error:?}"),
    }
}

async fn set(server: &RedisServer, counter: &str, value: &str) {
    let mut client = server.client().await.unwrap();
    let set: Result<(), _> = redis::cmd("SET")
        .arg(counter)
        .arg(value)
        .query_async(&mut client)
        .await;
    set.unwrap();
}

/// Returns the current slice of ten seconds on the server.
async fn slice(server: &RedisServer) -> u64 {
    let mut client = server.client().await.unwrap();
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut client).await.unwrap();
    seconds / 10
}

#[tokio::test]
async fn nodes_share_key_limits() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let limits = KeyLimits::default().per_user(4).of_users(10).of_backends(3);
    let nodes = [server.node().await, server.node().await];
    for (scope, room, bound) in [
        (user("a"), 4, KeyBound::PerUser),
        (user("b"), 4, KeyBound::PerUser),
        (KeyScope::Anonymous, 2, KeyBound::OfUsers),
        (KeyScope::App, 3, KeyBound::OfBackends),
    ] {
        for key in 0..room {
            assert_eq!(
                append(&nodes[key % 2], &scope, key, limits).await,
                Ok(false),
                "{scope:?} {key}"
            );
        }
        for node in &nodes {
            assert_eq!(
                append(node, &scope, "more", limits)
                    .await
                    .unwrap_err()
                    .bound,
                bound
            );
            assert_eq!(append(node, &scope, 0, limits).await, Ok(true));
        }
    }
}

#[tokio::test]
async fn slice_counts_until_last_key_expires() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let limits = KeyLimits::default().of_backends(20);
    // The slice can end while this runs, so no count is at an edge.
    let now = slice(&server).await;
    for (counter, counted, wait) in [
        // All slices have expired.
        (
            format!("{} 100 100|{}:100", now - 15, now - 20),
            0,
            110..=130,
        ),
        // The latest slice counts, and those before it that have not expired.
        (
            format!(
                "{} 4 106|{}:3 {}:3 {}:100",
                now - 5,
                now - 7,
                now - 9,
                now - 20
            ),
            10,
            1..=40,
        ),
        // The clock was set back: expiry is late rather than early.
        (format!("{} 4 3|{}:3", now + 1000, now - 5), 7, 60..=80),
        (format!("{now} 5 7|{}:7", now - 3), 12, 80..=100),
    ] {
        set(&server, "{sse}:keys:backends", &counter).await;
        for key in counted..20 {
            let appended = append(&node, &KeyScope::App, format!("{counter} {key}"), limits).await;
            assert_eq!(appended, Ok(false), "{counter}, {key}");
        }
        let full = append(&node, &KeyScope::App, "more", limits)
            .await
            .unwrap_err();
        assert!(
            wait.contains(&full.retry_after.as_secs()),
            "{counter}: {full:?}"
        );
    }
}

#[tokio::test]
async fn counters_expire_after_window() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    append(&node, &user("a"), "k", KeyLimits::default())
        .await
        .unwrap();
    append(&node, &KeyScope::App, "k", KeyLimits::default())
        .await
        .unwrap();
    let mut client = server.client().await.unwrap();
    let names: Vec<String> = redis::cmd("KEYS")
        .arg("{sse}:key*")
        .query_async(&mut client)
        .await
        .unwrap();
    assert_eq!(names.len(), 5, "two keys and three counters: {names:?}");
    for name in names {
        let left: i64 = redis::cmd("PTTL")
            .arg(&name)
            .query_async(&mut client)
            .await
            .unwrap();
        assert!((1..=130_000).contains(&left), "{name} stays for {left} ms");
    }
}
