//! Servers that reply, and do not execute the commands.

use bytes::Bytes;
use redis::{Cmd, Value};
use sse_core::backplane::{Backplane, BackplaneError, Lease};
use sse_redis::RedisBackplane;

use crate::{
    redis_server::{RedisServer, patient},
    steps::{
        TIMEOUT, append, beginning, entry, eventually, fails, is_refused, is_unavailable, keyed,
        read, take,
    },
};

fn is_blocked(error: &BackplaneError) -> bool {
    matches!(error, BackplaneError::Blocked { .. })
}

/// A cause, and the way in which an operator removes it.
struct Cause {
    name: &'static str,
    begin: &'static [&'static [&'static str]],
    end: &'static [&'static [&'static str]],
    /// The remedy that the error names.
    remedy: &'static str,
}

const CAUSES: &[Cause] = &[
    Cause {
        name: "OOM",
        begin: &[&["CONFIG", "SET", "maxmemory", "1"]],
        end: &[&["CONFIG", "SET", "maxmemory", "0"]],
        remedy: "CONFIG SET maxmemory",
    },
    Cause {
        name: "MISCONF",
        // No user can create a file there, not even root.
        begin: &[
            &["CONFIG", "SET", "save", "3600 1"],
            &["CONFIG", "SET", "dir", "/proc/self"],
            &["BGSAVE"],
        ],
        end: &[&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]],
        remedy: "stop-writes-on-bgsave-error",
    },
    Cause {
        name: "NOREPLICAS",
        begin: &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
        remedy: "min-replicas-to-write",
    },
];

async fn run(server: &RedisServer, commands: &[&[&str]]) {
    let mut client = server.client().await.unwrap();
    for command in commands {
        let mut words = Cmd::new();
        command.iter().for_each(|word| {
            words.arg(word);
        });
        let answer: Value = words.query_async(&mut client).await.unwrap();
        assert!(
            !matches!(answer, Value::ServerError(_)),
            "{command:?}: {answer:?}"
        );
    }
}

/// A snapshot takes a moment to fail.
async fn rejects_writes(server: &RedisServer, cause: &Cause) {
    let mut client = server.client().await.unwrap();
    eventually(cause.name, async || {
        let answer = redis::cmd("SET")
            .arg("foreign")
            .arg("x")
            .query_async::<Value>(&mut client)
            .await;
        answer.err()
    })
    .await;
}

#[tokio::test]
async fn blocked_calls_succeed_after_recovery() {
    for cause in CAUSES {
        let Some(server) = RedisServer::start(&["--enable-protected-configs", "yes"]).await else {
            return;
        };
        let node = server.node().await;
        let start = beginning(&node).await;
        append(&node, "before").await;
        let mut tail = node.tail(&start).await.unwrap();
        run(&server, cause.begin).await;
        rejects_writes(&server, cause).await;
        let error = fails(node.append(keyed("never", "k1"))).await;
        assert!(is_blocked(&error), "{}: {error:?}", cause.name);
        assert!(
            error.to_string().contains(cause.remedy),
            "{}: {error}",
            cause.name
        );
        for _ in 0..3 {
            for new in [entry("never"), keyed("never", "k2")] {
                let error = fails(node.append(new)).await;
                assert!(is_blocked(&error), "{}: {error:?}", cause.name);
            }
        }
        // Existing entries can still be read, by new connections too.
        assert_eq!(take(&mut tail, 1).await, ["before"]);
        let newcomer = RedisBackplane::connect(&server.url(), patient())
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", cause.name));
        assert_eq!(
            newcomer.bounds().await.unwrap().epoch,
            start.epoch,
            "{}",
            cause.name
        );
        assert_eq!(read(&newcomer, &start).await, ["before"]);
        run(&server, cause.end).await;
        for (node, text) in [(&node, "after"), (&newcomer, "also")] {
            eventually(cause.name, async || {
                node.append(keyed(text, text)).await.ok()
            })
            .await;
        }
        assert_eq!(
            read(&node, &start).await,
            ["before", "after", "also"],
            "{}",
            cause.name
        );
        assert_eq!(node.bounds().await.unwrap().epoch, start.epoch);
    }
}

/// A log that must be created while the server accepts no writes.
#[tokio::test]
async fn first_node_waits_for_blocked_server() {
    for cause in CAUSES {
        let Some(server) = RedisServer::start(&["--enable-protected-configs", "yes"]).await else {
            return;
        };
        run(&server, cause.begin).await;
        rejects_writes(&server, cause).await;
        let connect = async || RedisBackplane::connect(&server.url(), patient()).await;
        let error = connect().await.unwrap_err();
        assert!(is_blocked(&error), "{}: {error:?}", cause.name);
        run(&server, cause.end).await;
        eventually(cause.name, async || connect().await.ok()).await;
    }
}

/// Tries every operation, and returns the names of those that are rejected.
async fn refusals(node: &RedisBackplane) -> Vec<&'static str> {
    let lease = Lease {
        node: "node".into(),
        payload: Bytes::from_static(b"x"),
    };
    let mut refused = Vec::new();
    let mut note = |what, error: Option<BackplaneError>| {
        if let Some(error) = error {
            assert!(
                is_refused(&error) || is_unavailable(&error),
                "{what}: {error:?}"
            );
            if is_refused(&error) {
                assert!(error.to_string().contains("ACL SETUSER"), "{what}: {error}");
            }
            refused.push(what);
        }
    };
    note("append", node.append(entry("x")).await.err());
    note(
        "append with a key",
        node.append(keyed("x", &format!("{:x}", rand::random::<u64>())))
            .await
            .err(),
    );
    let bounds = node.bounds().await;
    let start = bounds.as_ref().ok().map(|bounds| {
        sse_core::backplane::Cursor::new(bounds.epoch.clone(), sse_core::backplane::Position::ZERO)
    });
    note("bounds", bounds.err());
    if let Some(start) = start {
        note("read", node.read(&start, crate::steps::ALL).await.err());
        note(
            "tail",
            async { node.tail(&start).await?.next().await }.await.err(),
        );
        // After the last entry, the tail waits by a different command.
        let at = node.rewind(0).await.unwrap_or(start);
        note(
            "tail at the end",
            async { node.tail(&at).await?.next().await }.await.err(),
        );
    }
    note("signal", node.signal(Bytes::from_static(b"s")).await.err());
    note("listen", node.signals().await.err());
    note("lease", node.hold_lease(lease, TIMEOUT).await.err());
    note("leases", node.leases().await.err());
    refused
}

/// An operator revokes a right while a node runs, and grants it again.
#[tokio::test]
async fn revoked_right_can_return() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let table: &[(&str, &[&str])] = &[
        ("-xadd", &["append", "append with a key"]),
        (
            "-evalsha",
            &["append with a key", "bounds", "lease", "leases"],
        ),
        ("-set", &["append with a key", "lease"]),
        ("-xrange", &["read", "tail"]),
        ("-xread", &["tail at the end"]),
        ("-xinfo", &["append", "append with a key", "bounds"]),
        ("-publish", &["signal"]),
        ("-subscribe", &["listen"]),
        ("resetchannels", &["signal", "listen"]),
        ("-zadd", &["lease"]),
        ("-multi", &["read", "tail"]),
        (
            "resetkeys",
            &["append", "append with a key", "bounds", "lease", "leases"],
        ),
    ];
    for (right, expected) in table {
        server.ask("ACL SETUSER hub reset on >pw ~* &* +@all").await;
        let url = format!("redis://hub:pw@127.0.0.1:{}", server.port);
        let node = RedisBackplane::connect(&url, patient()).await.unwrap();
        append(&node, "x").await;
        assert_eq!(refusals(&node).await, [""; 0], "before {right}");
        server.ask(&format!("ACL SETUSER hub {right}")).await;
        let refused = refusals(&node).await;
        for what in *expected {
            assert!(
                refused.contains(what),
                "{what} works with {right}: {refused:?}"
            );
        }
        server.ask("ACL SETUSER hub ~* &* +@all").await;
        eventually(right, async || {
            refusals(&node).await.is_empty().then_some(())
        })
        .await;
    }
}

/// A password is changed while a node runs.
#[tokio::test]
async fn disabled_user_can_return() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    server.ask("ACL SETUSER hub reset on >pw ~* &* +@all").await;
    let url = format!("redis://hub:pw@127.0.0.1:{}", server.port);
    let node = RedisBackplane::connect(&url, patient()).await.unwrap();
    append(&node, "x").await;
    for (begin, end) in [("off", "on"), ("resetpass", ">pw")] {
        server.ask(&format!("ACL SETUSER hub {begin}")).await;
        server.ask("CLIENT KILL USER hub").await;
        let error = eventually(begin, async || {
            node.append(entry("x")).await.err().filter(is_refused)
        })
        .await;
        assert!(is_refused(&error), "{error:?}");
        assert!(!format!("{error:?}").contains("pw"), "{error:?}");
        server.ask(&format!("ACL SETUSER hub {end}")).await;
        eventually(end, async || node.append(entry("x")).await.ok()).await;
    }
}
