//! A log that is trimmed from outside.

use sse_core::{
    Retention,
    backplane::{BackplaneError, Cursor, Position},
};

use crate::backplane::{
    Trim,
    harness::start,
    helpers::{
        ALL, NodeHandle, append, append_numbered, beginning, next, numbered, read_all, tail, take,
        text, texts,
    },
};

async fn trimmed(node: &NodeHandle) -> Cursor {
    let bounds = node.bounds().await.expect("bounds");
    Cursor::new(bounds.epoch, bounds.trimmed)
}

async fn expect_trimmed(node: &NodeHandle, cursor: &Cursor) {
    let read = node.read(cursor, ALL).await;
    assert!(
        matches!(read, Err(BackplaneError::Trimmed { .. })),
        "{read:?}"
    );
    let tail = node.tail(cursor).await.map(|_| "a tail");
    assert!(
        matches!(tail, Err(BackplaneError::Trimmed { .. })),
        "{tail:?}"
    );
}

pub async fn trimmed_entries_are_reported<B: Trim>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let cursors = append_numbered(&node, "entry", 20).await;
    broker.trim(cursors[9].position).await;
    let bounds = trimmed(&node).await;
    assert!(
        (cursors[9].position..cursors[10].position).contains(&bounds.position),
        "{bounds}"
    );
    assert_eq!(
        texts(&read_all(&node, &bounds).await),
        numbered("entry", 10..20)
    );
    for cursor in [&start, &cursors[0], &cursors[8]] {
        expect_trimmed(&node, cursor).await;
    }
    for at in [10, 19] {
        assert_eq!(
            texts(&read_all(&node, &cursors[at]).await),
            numbered("entry", at + 1..20)
        );
    }
    assert_eq!(
        texts(&take(&mut tail(&node, &bounds).await, 10).await),
        numbered("entry", 10..20)
    );
}

pub async fn emptied_log_continues<B: Trim>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut live = tail(&node, &start).await;
    let cursors = append_numbered(&node, "entry", 10).await;
    take(&mut live, 10).await;
    broker.trim(cursors[9].position).await;
    let bounds = node.bounds().await.expect("bounds");
    assert_eq!(
        bounds.epoch, start.epoch,
        "a log that was trimmed is the same log"
    );
    assert_eq!(bounds.head, bounds.trimmed);
    expect_trimmed(&node, &start).await;
    expect_trimmed(&node, &cursors[8]).await;
    assert_eq!(read_all(&node, &cursors[9]).await, []);
    let after = append(&node, "after").await;
    assert!(after.position > cursors[9].position && after.epoch == start.epoch);
    assert_eq!(texts(&read_all(&node, &cursors[9]).await), ["after"]);
    assert_eq!(texts(&take(&mut live, 1).await), ["after"]);
}

pub async fn tail_overtaken_by_a_trim_reports_it<B: Trim>() {
    const ENTRIES: usize = 20_000;
    let Some(mut broker) = B::start(Retention::default()).await else {
        return;
    };
    let node = broker.node().await;
    let mut lagging = tail(&node, &beginning(&node).await).await;
    let mut last = Position::ZERO;
    let mut appends = tokio::task::JoinSet::new();
    for _ in 0..ENTRIES / 1_000 {
        for _ in 0..1_000 {
            let node = node.clone();
            appends.spawn(async move { append(&node, "x".repeat(500)).await.position });
        }
        while let Some(position) = appends.join_next().await {
            last = last.max(position.expect("a writer"));
        }
    }
    broker.trim(last).await;
    append(&node, "after").await;
    let mut followed = 0;
    loop {
        match next(&mut lagging).await {
            Ok(batch) => {
                let (old, new): (Vec<_>, Vec<_>) = batch
                    .entries
                    .iter()
                    .partition(|entry| entry.position <= last);
                followed += old.len();
                if let Some(new) = new.first() {
                    assert_eq!(text(new), "after");
                    assert_eq!(followed, ENTRIES, "a hole was not reported");
                    return;
                }
            }
            Err(BackplaneError::Trimmed { .. }) => return,
            Err(error) => panic!("a tail overtaken by a trim failed: {error:?}"),
        }
    }
}
