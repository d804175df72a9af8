//! Nodes that outlive a crash and restart of the broker.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sse_core::backplane::{BackplaneError, Cursor, Lease};
use tokio::time::{sleep, timeout};

use crate::backplane::{
    Restart,
    harness::{eventually, start},
    helpers::{
        ALL, NodeHandle, PULSE, append, append_numbered, beginning, entry, keyed, next, numbered,
        read_all, tail, take, texts, try_append,
    },
};

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Expects a call to fail in time, as unavailable.
async fn expect_unavailable<T>(what: &str, call: impl Future<Output = Result<T, BackplaneError>>) {
    let result = timeout(PULSE, call)
        .await
        .unwrap_or_else(|_| panic!("{what} did not fail in time without a broker"));
    let result = result.map(|_| ());
    assert!(
        matches!(result, Err(BackplaneError::Unavailable { .. })),
        "{what} without a broker: {result:?}"
    );
}

pub async fn calls_fail_in_time_without_a_broker<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    append(&node, "before").await;
    let mut live = tail(&node, &start).await;
    take(&mut live, 1).await;
    let mut signals = node.signals().await.expect("signals");
    broker.stop().await;
    expect_unavailable("an append", node.append(entry("meanwhile"))).await;
    expect_unavailable("bounds", node.bounds()).await;
    expect_unavailable("a read", node.read(&start, ALL)).await;
    expect_unavailable("a rewind", node.rewind(1)).await;
    expect_unavailable("a tail", node.tail(&start)).await;
    expect_unavailable("a signal", node.signal(Bytes::new())).await;
    expect_unavailable("a lease", node.hold_lease(lease(), PULSE)).await;
    expect_unavailable("leases", node.leases()).await;
    expect_unavailable("signals that were there", signals.next()).await;
    eventually("the end of an open tail", async || {
        match next(&mut live).await {
            Ok(_) => None,
            Err(BackplaneError::Unavailable { .. }) => Some(()),
            Err(error) => panic!("a tail without a broker: {error:?}"),
        }
    })
    .await;
}

fn lease() -> Lease {
    Lease {
        node: Arc::from("node"),
        payload: Bytes::new(),
    }
}

pub async fn nodes_reconnect_automatically<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let (one, other) = (broker.node().await, broker.node().await);
    let start = beginning(&one).await;
    let mut last = append_numbered(&one, "before", 5)
        .await
        .pop()
        .expect("five cursors");
    for round in 0..2 {
        broker.stop().await;
        broker.resume().await;
        let text = format!("after/{round}");
        let mut live = eventually("a tail", async || other.tail(&last).await.ok()).await;
        let mut signals = eventually("signals", async || other.signals().await.ok()).await;
        last = eventually("an append", async || {
            Some(try_append(&one, keyed(&text, &text)).await.ok()?.cursor)
        })
        .await;
        assert_eq!(texts(&take(&mut live, 1).await), [text]);
        eventually("a signal", async || {
            one.signal(Bytes::from_static(b"signal")).await.ok()
        })
        .await;
        let signal = timeout(PULSE, signals.next())
            .await
            .expect("a signal in time")
            .expect("a signal");
        assert_eq!(signal, "signal");
        eventually("a lease", async || {
            one.hold_lease(lease(), PULSE * 10).await.ok()
        })
        .await;
        assert_eq!(other.leases().await.expect("leases"), [lease()]);
    }
    let all = texts(&read_all(&other, &start).await);
    assert_eq!(
        all,
        [numbered("before", 0..5), numbered("after", 0..2)].concat()
    );
}

/// Appends with a key until the append is acknowledged, whatever happens meanwhile.
async fn insist(node: &NodeHandle, text: &str) {
    while let Err(error) = node.append(keyed(text, text)).await {
        assert!(
            matches!(
                error,
                BackplaneError::Unavailable { .. } | BackplaneError::Busy
            ),
            "{error:?}"
        );
        sleep(PAUSE).await;
    }
}

/// Follows the log with one tail after the other, whatever happens meanwhile.
async fn follow(node: NodeHandle, mut after: Cursor, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        let Ok(mut live) = node.tail(&after).await else {
            sleep(PAUSE).await;
            continue;
        };
        while let Ok(batch) = next(&mut live).await {
            after.position = batch
                .entries
                .last()
                .map_or(after.position, |last| last.position);
            all.extend(texts(&batch.entries));
            if all.len() >= count {
                break;
            }
        }
    }
    all
}

pub async fn nothing_is_lost_or_doubled_over_restarts<B: Restart>() {
    const ENTRIES: usize = 120;
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let (one, other) = (broker.node().await, broker.node().await);
    let start = beginning(&one).await;
    let follower = tokio::spawn(follow(other.clone(), start.clone(), ENTRIES));
    let writer = tokio::spawn(async move {
        for text in numbered("entry", 0..ENTRIES) {
            insist(&one, &text).await;
            sleep(Duration::from_millis(5)).await;
        }
    });
    for pause in [100, 250, 50] {
        sleep(Duration::from_millis(pause)).await;
        broker.stop().await;
        sleep(Duration::from_millis(pause)).await;
        broker.resume().await;
    }
    writer.await.expect("the writer");
    assert_eq!(
        follower.await.expect("the follower"),
        numbered("entry", 0..ENTRIES)
    );
    assert_eq!(
        texts(&read_all(&other, &start).await),
        numbered("entry", 0..ENTRIES)
    );
}
