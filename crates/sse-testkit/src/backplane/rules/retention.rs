//! The entries that a log retains.

use std::time::Duration;

use sse_core::{
    Retention,
    backplane::{BackplaneError, Cursor, Position},
};
use tokio::{task::JoinSet, time::sleep};

use crate::backplane::{
    Broker,
    harness::eventually,
    helpers::{
        ALL, NodeHandle, append, append_numbered, assert_rising, beginning, next, numbered,
        read_all, tail, text, texts,
    },
};

/// Returns the trimmed position once entries were trimmed and trimming has settled: some logs trim
/// a little after the append that makes it necessary.
async fn trimmed(node: &NodeHandle) -> Cursor {
    let mut before = Position::ZERO;
    eventually("the oldest entries go", async || {
        let bounds = node.bounds().await.expect("bounds");
        let is_settled = bounds.trimmed > Position::ZERO && bounds.trimmed == before;
        before = bounds.trimmed;
        sleep(Duration::from_millis(100)).await;
        is_settled.then(|| Cursor::new(bounds.epoch, bounds.trimmed))
    })
    .await
}

async fn expect_trimmed(node: &NodeHandle, cursor: &Cursor) {
    let read = match node.read(cursor, ALL).await {
        Err(BackplaneError::Trimmed { trimmed }) => trimmed,
        other => panic!("a read of trimmed entries: {other:?}"),
    };
    match node.tail(cursor).await.map(|_| "a tail") {
        Err(BackplaneError::Trimmed { trimmed }) => assert!(trimmed >= read),
        other => panic!("a tail of trimmed entries: {other:?}"),
    }
}

pub async fn oldest_entries_are_trimmed<B: Broker>() {
    const KEPT: usize = 1_000;
    const APPENDED: usize = 5_000;
    let Some(broker) = B::start(Retention::default().entries(KEPT)).await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut appends = JoinSet::new();
    for number in 0..APPENDED {
        let node = node.clone();
        appends.spawn(async move { append(&node, number.to_string()).await });
    }
    appends.join_all().await;
    let tail = append_numbered(&node, "last", 10).await;
    let trimmed = trimmed(&node).await;
    expect_trimmed(&node, &start).await;
    let held = read_all(&node, &trimmed).await;
    assert_rising(&held);
    // The storage decides how exactly the number is kept; it never keeps fewer.
    assert!(
        (KEPT..=KEPT * 2).contains(&held.len()),
        "{} entries are held",
        held.len()
    );
    assert_eq!(texts(&held[held.len() - 10..]), numbered("last", 0..10));
    let rewound = node.rewind(u64::MAX).await.expect("a cursor");
    assert_eq!(read_all(&node, &rewound).await.len(), held.len());
    assert_eq!(
        read_all(&node, &node.rewind(10).await.expect("a cursor"))
            .await
            .len(),
        10
    );
    assert_eq!(node.bounds().await.expect("bounds").head, tail[9].position);
}

pub async fn lagging_tail_reports_trimmed_entries<B: Broker>() {
    const KEPT: usize = 200;
    let Some(broker) = B::start(Retention::default().entries(KEPT)).await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let mut slow = tail(&reader, &beginning(&reader).await).await;
    let mut followed = 0;
    for round in 0..5 {
        for number in 0..5 * KEPT {
            append(&writer, (round * 5 * KEPT + number).to_string()).await;
        }
        // Entries that were fetched before may still arrive; nothing else arrives before the error.
        match next(&mut slow).await {
            Ok(batch) => {
                for entry in &batch.entries {
                    assert_eq!(text(entry), followed.to_string(), "a hole was not reported");
                    followed += 1;
                }
            }
            Err(BackplaneError::Trimmed { trimmed }) => {
                let held = self::trimmed(&reader).await;
                assert!(trimmed <= held.position && trimmed > Position::ZERO);
                let mut fresh = tail(&reader, &held).await;
                assert!(!next(&mut fresh).await.expect("a batch").entries.is_empty());
                return;
            }
            Err(error) => panic!("a lagging tail failed: {error:?}"),
        }
    }
    trimmed(&reader).await;
}

pub async fn retention_limits_bytes<B: Broker>() {
    const KEPT: usize = 64 << 10;
    let Some(broker) = B::start(Retention::default().bytes(KEPT as u64)).await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    for number in 0..400 {
        append(&node, format!("{number:0>1000}")).await;
    }
    let trimmed = trimmed(&node).await;
    expect_trimmed(&node, &start).await;
    let held = read_all(&node, &trimmed).await;
    let bytes: usize = held.iter().map(|entry| entry.payload.len()).sum();
    assert!(
        (KEPT / 2..=KEPT * 2).contains(&bytes),
        "{bytes} bytes are held"
    );
    assert_eq!(text(&held[held.len() - 1]), format!("{:0>1000}", 399));
}

pub async fn retention_limits_age<B: Broker>() {
    let Some(broker) = B::start(Retention::default().age(Duration::from_secs(1))).await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    append_numbered(&node, "old", 20).await;
    // Some logs trim only on an append.
    let trimmed_entries = eventually("the trim of old entries", async || {
        append(&node, "new").await;
        let trimmed = node.bounds().await.expect("bounds").trimmed;
        // Further entries may be trimmed meanwhile.
        let held = node
            .read(&Cursor::new(start.epoch.clone(), trimmed), ALL)
            .await
            .ok()?;
        held.entries
            .iter()
            .all(|entry| !entry.payload.starts_with(b"old"))
            .then_some(trimmed)
    });
    assert!(trimmed_entries.await > Position::ZERO);
    expect_trimmed(&node, &start).await;
}
