//! Faults, and the behavior of nodes.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::json;
use sse_core::backplane::{
    Backplane, BackplaneError, Cursor, Entry, Lease, NewEntry, Position, ReadLimit, Tail,
};
use sse_nats::NatsBackplane;
use tokio::time::{Instant, sleep, timeout};

use crate::server::{LOG, STATE, Server, config};

/// Timeout for an event that must happen, on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

const ALL: ReadLimit = ReadLimit {
    entries: 10_000,
    bytes: 64 << 20,
};

pub(crate) fn entry(text: impl Into<String>) -> NewEntry {
    NewEntry {
        payload: Bytes::from(text.into()),
        key: None,
    }
}

pub(crate) async fn append(node: &NatsBackplane, text: impl Into<String>) -> Cursor {
    node.append(entry(text)).await.unwrap().cursor
}

fn texts(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap())
        .collect()
}

pub(crate) async fn read(node: &NatsBackplane, after: &Cursor) -> Vec<String> {
    texts(&node.read(after, ALL).await.unwrap().entries)
}

pub(crate) async fn beginning(node: &NatsBackplane) -> Cursor {
    let bounds = node.bounds().await.unwrap();
    Cursor::new(bounds.epoch, bounds.trimmed)
}

async fn next(tail: &mut Box<dyn Tail>) -> Result<Vec<String>, BackplaneError> {
    timeout(TIMEOUT, tail.next())
        .await
        .expect("the tail returned nothing in time")
        .map(|batch| texts(&batch.entries))
}

pub(crate) async fn take(tail: &mut Box<dyn Tail>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(next(tail).await.unwrap());
    }
    all
}

pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn is_unavailable<T>(result: &Result<T, BackplaneError>) -> bool {
    matches!(result, Err(BackplaneError::Unavailable { .. }))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

/// A copy of the store, taken while the server is stopped, and restored later.
struct Older(std::path::PathBuf);

impl Older {
    async fn take(server: &mut Server) -> Self {
        let copied = server.directory().join("older");
        server.stop();
        copy(&server.store(), &copied);
        server.resume().await;
        Self(copied)
    }

    async fn put_back(&self, server: &mut Server) {
        server.stop();
        fs::remove_dir_all(server.store()).unwrap();
        copy(&self.0, &server.store());
        server.resume().await;
    }
}

async fn settled(node: &NatsBackplane) -> Cursor {
    let bounds = eventually("a node that comes back", async || node.bounds().await.ok()).await;
    Cursor::new(bounds.epoch, bounds.head)
}

#[tokio::test]
async fn older_copy_of_log_changes_epoch() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let (one, other) = (server.node().await, server.node().await);
    let start = beginning(&one).await;
    append(&one, "kept").await;
    let older = Older::take(&mut server).await;
    settled(&one).await;
    settled(&other).await;
    let mut lost = append(&one, "lost 0").await;
    for number in 1..5 {
        lost = append(&one, format!("lost {number}")).await;
    }
    // Another node knows the entry only because it follows the log.
    let mut live = other.tail(&start).await.unwrap();
    take(&mut live, 6).await;
    older.put_back(&mut server).await;
    for node in [&one, &other] {
        let now = settled(node).await;
        assert_ne!(
            now.epoch, start.epoch,
            "the log lost entries and has kept its epoch"
        );
        assert!(matches!(
            node.read(&lost, ALL).await,
            Err(BackplaneError::Epoch { .. })
        ));
        assert!(matches!(
            node.read(&start, ALL).await,
            Err(BackplaneError::Epoch { .. })
        ));
    }
    let (first, second) = (settled(&one).await, settled(&other).await);
    assert_eq!(first, second, "the nodes have different epochs");
    assert!(
        next(&mut live).await.is_err(),
        "the tail continued in another log"
    );
    // New nodes agree, and no node appends to the old log.
    let third = server.node().await;
    assert_eq!(settled(&third).await, first);
    for node in [&one, &other, &third] {
        assert_eq!(append(node, "after").await.epoch, first.epoch);
    }
    assert_eq!(
        read(&one, &beginning(&one).await).await,
        ["kept", "after", "after", "after"]
    );
}

#[tokio::test]
async fn newer_entries_do_not_hide_older_copy() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    append(&node, "kept").await;
    let older = Older::take(&mut server).await;
    settled(&node).await;
    // The same text as that of the entry that takes its place.
    let lost = append(&node, "same").await;
    server.stop();
    fs::remove_dir_all(server.store()).unwrap();
    copy(&older.0, &server.store());
    server.resume().await;
    // A node that knows nothing of the loss is faster.
    let stranger = server.node().await;
    for _ in 0..20 {
        append(&stranger, "same").await;
    }
    let now = eventually("a node that notices", async || {
        let now = settled(&node).await;
        (now.epoch != lost.epoch).then_some(now)
    });
    let now = now.await;
    assert!(matches!(
        node.read(&lost, ALL).await,
        Err(BackplaneError::Epoch { .. })
    ));
    let found = eventually("a stranger that agrees", async || {
        let found = settled(&stranger).await;
        (found.epoch == now.epoch).then_some(found)
    });
    found.await;
    assert!(matches!(
        stranger.read(&lost, ALL).await,
        Err(BackplaneError::Epoch { .. })
    ));
    assert_eq!(append(&stranger, "after").await.epoch, now.epoch);
}

#[tokio::test]
async fn replaced_epoch_is_never_used_again() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    append(&node, "kept").await;
    let older = Older::take(&mut server).await;
    let mut epochs = vec![settled(&node).await.epoch];
    for round in 0..2 {
        append(&node, format!("lost {round}")).await;
        older.put_back(&mut server).await;
        let epoch = settled(&node).await.epoch;
        assert!(!epochs.contains(&epoch), "an earlier epoch was used again");
        epochs.push(epoch);
    }
}

#[tokio::test]
async fn idle_node_adopts_epoch_after_loss() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let (witness, newcomer) = (server.node().await, server.node().await);
    let older = Older::take(&mut server).await;
    settled(&witness).await;
    let lost = append(&witness, "lost").await;
    older.put_back(&mut server).await;
    let now = settled(&witness).await;
    assert_ne!(now.epoch, lost.epoch);
    eventually("agreement", async || {
        (settled(&newcomer).await.epoch == now.epoch).then_some(())
    })
    .await;
    let appended = append(&newcomer, "after").await;
    assert_eq!(appended.epoch, now.epoch);
    assert_eq!(read(&witness, &beginning(&witness).await).await, ["after"]);
}

#[tokio::test]
async fn tail_ends_when_stream_is_recreated() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    for number in 0..3 {
        append(&node, number.to_string()).await;
    }
    let mut live = node.tail(&start).await.unwrap();
    take(&mut live, 3).await;
    // As from a configuration that an operator saved, with the epoch.
    let info = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await;
    server.ask(&format!("STREAM.DELETE.{LOG}"), json!({})).await;
    server
        .ask(&format!("STREAM.CREATE.{LOG}"), info["config"].clone())
        .await;
    let end = eventually("the end of a tail", async || next(&mut live).await.err()).await;
    assert!(
        matches!(
            end,
            BackplaneError::Epoch { .. } | BackplaneError::Unavailable { .. }
        ),
        "{end:?}"
    );
    let appended = eventually("an append", async || node.append(entry("after")).await.ok()).await;
    assert_ne!(appended.cursor.epoch, start.epoch);
    assert_eq!(read(&node, &beginning(&node).await).await, ["after"]);
}

#[tokio::test]
async fn purge_is_reported_as_trim() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    let last = append(&node, "gone").await;
    let mut lagging = node.tail(&start).await.unwrap();
    server.ask(&format!("STREAM.PURGE.{LOG}"), json!({})).await;
    let bounds = node.bounds().await.unwrap();
    assert_eq!(
        (bounds.epoch, bounds.trimmed, bounds.head),
        (start.epoch.clone(), last.position, last.position)
    );
    assert!(matches!(
        node.read(&start, ALL).await,
        Err(BackplaneError::Trimmed { .. })
    ));
    append(&node, "after").await;
    match next(&mut lagging).await {
        Err(BackplaneError::Trimmed { .. }) => {}
        other => panic!("a tail after a purge: {other:?}"),
    }
    assert_eq!(read(&node, &last).await, ["after"]);
}

#[tokio::test]
async fn deleted_entries_are_counted_without_gap() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    for number in 1..=40 {
        append(&node, number.to_string()).await;
    }
    for sequence in (5..=35).filter(|sequence| sequence % 3 != 0) {
        server
            .ask(
                &format!("STREAM.MSG.DELETE.{LOG}"),
                json!({ "seq": sequence }),
            )
            .await;
    }
    let left: Vec<_> = (1..=40)
        .filter(|number| !(5..=35).contains(number) || number % 3 == 0)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(read(&node, &start).await, left);
    assert_eq!(
        take(&mut node.tail(&start).await.unwrap(), left.len()).await,
        left
    );
    for entries in 0..=left.len() + 1 {
        let cursor = node.rewind(u64::try_from(entries).unwrap()).await.unwrap();
        let expected = &left[left.len().saturating_sub(entries)..];
        assert_eq!(read(&node, &cursor).await, expected, "{entries} back");
    }
}

#[tokio::test]
async fn leases_recover_after_loss_of_stream() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let lease = Lease {
        node: "node".into(),
        payload: Bytes::from_static(b"x"),
    };
    node.hold_lease(lease.clone(), TIMEOUT).await.unwrap();
    server
        .ask(&format!("STREAM.DELETE.{STATE}"), json!({}))
        .await;
    node.drop_lease("node").await.unwrap();
    assert_eq!(node.leases().await.unwrap(), []);
    node.hold_lease(lease.clone(), TIMEOUT).await.unwrap();
    assert_eq!(node.leases().await.unwrap(), std::slice::from_ref(&lease));
    node.hold_lease(lease.clone(), Duration::MAX).await.unwrap();
    assert_eq!(node.leases().await.unwrap(), [lease]);
}

#[tokio::test]
async fn expired_leases_are_removed_from_server() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    for number in 0..5 {
        let lease = Lease {
            node: format!("node{number}").into(),
            payload: Bytes::new(),
        };
        node.hold_lease(lease, Duration::from_millis(1))
            .await
            .unwrap();
    }
    eventually("their end", async || {
        node.leases().await.unwrap().is_empty().then_some(())
    })
    .await;
    let info = server.ask(&format!("STREAM.INFO.{STATE}"), json!({})).await;
    assert_eq!(info["state"]["messages"], 1, "only what time it is: {info}");
}

#[tokio::test]
async fn names_and_sizes_out_of_range_are_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    for name in ["", "a.b", "a*", "a b", "ä", &"a".repeat(65)] {
        let lease = Lease {
            node: name.into(),
            payload: Bytes::new(),
        };
        let held = node.hold_lease(lease, TIMEOUT).await;
        assert!(
            matches!(held, Err(BackplaneError::Rejected { .. })),
            "{name}: {held:?}"
        );
        assert!(node.drop_lease(name).await.is_err());
    }
    let large = Lease {
        node: "node".into(),
        payload: Bytes::from(vec![0; (64 << 10) + 1]),
    };
    assert!(matches!(
        node.hold_lease(large, TIMEOUT).await,
        Err(BackplaneError::TooLarge { .. })
    ));
    let limit = match node.append(entry("x".repeat(9 << 20))).await {
        Err(BackplaneError::TooLarge { size, limit }) if size == 9 << 20 => limit,
        other => panic!("{other:?}"),
    };
    let key = "\n".repeat(128).as_str().try_into().ok();
    node.append(NewEntry {
        payload: Bytes::from(vec![0; limit]),
        key,
    })
    .await
    .unwrap();
    assert!(matches!(
        node.append(entry("x".repeat(limit + 1))).await,
        Err(BackplaneError::TooLarge { .. })
    ));
    assert!(matches!(
        node.signal(Bytes::from(vec![0; limit + 1])).await,
        Err(BackplaneError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn appends_beyond_limit_are_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node_with(config().appends_under_way(2)).await;
    append(&node, "first").await;
    server.signal(Signal::STOP);
    let appends = [(); 5].map(|()| node.append(entry("x")));
    let [one, two, three, four, five] = appends;
    let (one, two, three, four, five) = tokio::join!(one, two, three, four, five);
    assert!(
        is_unavailable(&one) && is_unavailable(&two),
        "{one:?} {two:?}"
    );
    for beyond in [three, four, five] {
        assert!(matches!(beyond, Err(BackplaneError::Busy)), "{beyond:?}");
    }
    server.signal(Signal::CONT);
    eventually("an append", async || node.append(entry("after")).await.ok()).await;
}

/// Checks a server that falls silent: everything ends in time, and works again later.
async fn falls_silent(node: &NatsBackplane, silence: impl FnOnce(), end: impl FnOnce()) {
    let start = beginning(node).await;
    append(node, "before").await;
    let mut live = node.tail(&start).await.unwrap();
    take(&mut live, 1).await;
    let mut signals = node.signals().await.unwrap();
    silence();
    let keyed = NewEntry {
        key: "key".try_into().ok(),
        ..entry("meanwhile")
    };
    let (appended, bounds, signalled, tailed) = tokio::join!(
        timeout(TIMEOUT, node.append(keyed.clone())),
        timeout(TIMEOUT, node.bounds()),
        timeout(TIMEOUT, node.signal(Bytes::new())),
        timeout(TIMEOUT, async { while live.next().await.is_ok() {} }),
    );
    assert!(is_unavailable(&appended.unwrap()));
    assert!(is_unavailable(&bounds.unwrap()));
    assert!(is_unavailable(&signalled.unwrap()));
    tailed.unwrap();
    assert!(is_unavailable(
        &timeout(TIMEOUT, signals.next()).await.unwrap()
    ));
    // By now the silence is known, and is reported at once.
    assert!(is_unavailable(&node.append(entry("never")).await));
    end();
    let appended = eventually("an append", async || node.append(keyed.clone()).await.ok()).await;
    assert_eq!(
        appended.cursor.epoch, start.epoch,
        "the epoch has changed without a loss"
    );
    assert_eq!(read(node, &start).await, ["before", "meanwhile"]);
    let mut live = node.tail(&start).await.unwrap();
    assert_eq!(take(&mut live, 2).await, ["before", "meanwhile"]);
}

#[tokio::test]
async fn stopped_server_is_detected_without_loss() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    falls_silent(
        &node,
        || server.signal(Signal::STOP),
        || server.signal(Signal::CONT),
    )
    .await;
}

#[tokio::test]
async fn silent_network_is_detected_without_loss() {
    let Some(server) = Server::start().await else {
        return;
    };
    let proxy = server.proxy().await;
    let node = NatsBackplane::connect(&format!("nats://{}", proxy.address()), config())
        .await
        .unwrap();
    let heal = || {
        // New connections work again; those that fell silent stay silent.
        proxy.black_hole();
        proxy.thaw();
    };
    falls_silent(&node, || proxy.freeze(), heal).await;
}

#[tokio::test]
async fn unreachable_server_is_reported_at_once() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    server.stop();
    let node = NatsBackplane::connect(&server.url(), config()).await;
    assert!(is_unavailable(&node), "{node:?}");
}

#[tokio::test]
async fn node_starts_before_server() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    server.stop();
    let node = NatsBackplane::start(&server.url(), config()).await.unwrap();
    assert!(is_unavailable(&node.bounds().await));
    assert!(is_unavailable(&node.append(entry("early")).await));
    server.resume().await;
    eventually("an append", async || node.append(entry("first")).await.ok()).await;
    assert_eq!(read(&node, &beginning(&node).await).await, ["first"]);
}

#[tokio::test]
async fn dropping_last_handle_closes_connection() {
    let Some(server) = Server::start().await else {
        return;
    };
    let proxy = server.proxy().await;
    let node = NatsBackplane::connect(&format!("nats://{}", proxy.address()), config())
        .await
        .unwrap();
    let tail = node.tail(&beginning(&node).await).await.unwrap();
    let signals = node.signals().await.unwrap();
    drop(node);
    assert_eq!(proxy.open(), 1);
    drop((tail, signals));
    eventually("the end of the connection", async || {
        (proxy.open() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn consumer_of_page_is_removed() {
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    append(&node, "x").await;
    for _ in 0..20 {
        read(&node, &start).await;
    }
    eventually("their end", async || {
        let info = server.ask(&format!("STREAM.INFO.{LOG}"), json!({})).await;
        (info["state"]["consumer_count"] == 0).then_some(())
    })
    .await;
    let at = node
        .read(
            &start,
            ReadLimit {
                entries: 1,
                bytes: 0,
            },
        )
        .await
        .unwrap();
    assert_eq!(at.entries[0].position, Position::from(1));
}
