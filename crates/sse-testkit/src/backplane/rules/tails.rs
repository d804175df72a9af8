//! The entries that a tail delivers.

use std::time::Duration;

use sse_core::backplane::Cursor;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{
        NodeHandle, append, append_numbered, assert_quiet, assert_rising, beginning, head, next,
        numbered, read_all, tail, take, texts,
    },
};

pub async fn tail_begins_after_any_cursor<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let cursors = append_numbered(&node, "entry", 10).await;
    for (at, cursor) in std::iter::once(&start).chain(&cursors[..9]).enumerate() {
        let mut tail = tail(&node, cursor).await;
        assert_eq!(
            texts(&take(&mut tail, 10 - at).await),
            numbered("entry", at..10)
        );
    }
}

pub async fn tail_at_the_head_yields_only_later_entries<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    append_numbered(&writer, "before", 10).await;
    let mut tail = tail(&reader, &head(&reader).await).await;
    assert_quiet(&mut tail).await;
    for number in 0..5 {
        let cursor = append(&writer, number.to_string()).await;
        let entries = take(&mut tail, 1).await;
        assert_eq!(texts(&entries), [number.to_string()]);
        assert_eq!(entries[0].position, cursor.position);
    }
    assert_quiet(&mut tail).await;
}

pub async fn quiet_tail_reports_liveness<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let mut tail = tail(&node, &head(&node).await).await;
    for _ in 0..3 {
        assert_quiet(&mut tail).await;
    }
    append(&node, "at last").await;
    assert_eq!(texts(&take(&mut tail, 1).await), ["at last"]);
}

pub async fn tail_reports_when_it_caught_up<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    append_numbered(&node, "entry", 50).await;
    let mut tail = tail(&node, &start).await;
    let mut entries = Vec::new();
    loop {
        let batch = next(&mut tail).await.expect("a batch");
        entries.extend(batch.entries);
        if batch.at_head {
            break;
        }
    }
    assert_eq!(
        texts(&entries),
        numbered("entry", 0..50),
        "a tail reports too early that it caught up"
    );
}

/// Starts tasks on two nodes that append for a while, with pauses.
fn writers(nodes: [&NodeHandle; 2], each: usize) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let node = nodes[writer % 2].clone();
        writers.spawn(async move {
            for number in 0..each {
                append(&node, format!("{writer}/{number}")).await;
                if number % 16 == writer {
                    sleep(Duration::from_millis(2)).await;
                }
            }
        });
    }
    writers
}

pub async fn tails_are_exact_while_appends_arrive<B: Broker>() {
    const EACH: usize = 150;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    let start = beginning(&nodes[0]).await;
    let mut writers = writers([&nodes[0], &nodes[1]], EACH);
    let mut followers = JoinSet::new();
    for follower in 0..4 {
        let (node, mut after) = (nodes[follower % 2].clone(), start.clone());
        followers.spawn(async move {
            let mut all = Vec::new();
            // Continues with a new tail now and then, as after an error.
            while all.len() < 6 * EACH {
                let mut tail = tail(&node, &after).await;
                for _ in 0..=follower * 3 {
                    let batch = next(&mut tail).await.expect("a batch");
                    after.position = batch
                        .entries
                        .last()
                        .map_or(after.position, |last| last.position);
                    all.extend(batch.entries);
                    if all.len() >= 6 * EACH {
                        break;
                    }
                }
            }
            all
        });
    }
    while writers
        .join_next()
        .await
        .transpose()
        .expect("a writer")
        .is_some()
    {}
    let log = read_all(&nodes[0], &start).await;
    assert_rising(&log);
    assert_eq!(log.len(), 6 * EACH);
    for followed in followers.join_all().await {
        assert_eq!(texts(&followed), texts(&log));
        assert_eq!(followed, log);
    }
}

pub async fn tail_wait_can_be_dropped_at_any_time<B: Broker>() {
    const EACH: usize = 80;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    let start = beginning(&nodes[0]).await;
    let mut tail = tail(&nodes[0], &start).await;
    let mut writers = writers([&nodes[0], &nodes[1]], EACH);
    let mut all = Vec::new();
    // Most tails are dropped after one poll or in the middle of a wait.
    for turn in 0..600_u64 {
        if let Ok(batch) = timeout(Duration::from_micros(turn * 137 % 4_000), tail.next()).await {
            all.extend(batch.expect("a batch").entries);
        }
    }
    while writers
        .join_next()
        .await
        .transpose()
        .expect("a writer")
        .is_some()
    {}
    loop {
        let batch = next(&mut tail).await.expect("a batch");
        if batch.entries.is_empty() {
            break;
        }
        all.extend(batch.entries);
    }
    assert_eq!(
        all.len(),
        6 * EACH,
        "an entry was lost or arrived twice after a dropped wait"
    );
    assert_eq!(texts(&all), texts(&read_all(&nodes[0], &start).await));
}

pub async fn tail_continues_after_pages<B: Broker>() {
    const EACH: usize = 60;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    let mut after = beginning(&nodes[0]).await;
    let start = after.clone();
    let mut writers = writers([&nodes[0], &nodes[1]], EACH);
    let mut all = Vec::new();
    while all.len() < 6 * EACH {
        let paged = read_all(&nodes[1], &after).await;
        all.extend(paged);
        let mut tail = tail(&nodes[1], &last(&start, &all)).await;
        all.extend(next(&mut tail).await.expect("a batch").entries);
        after = last(&start, &all);
    }
    while writers
        .join_next()
        .await
        .transpose()
        .expect("a writer")
        .is_some()
    {}
    assert_eq!(texts(&all), texts(&read_all(&nodes[0], &start).await));
}

fn last(start: &Cursor, entries: &[sse_core::backplane::Entry]) -> Cursor {
    Cursor::new(
        start.epoch.clone(),
        entries
            .last()
            .map_or(start.position, |entry| entry.position),
    )
}

pub async fn a_tail_crosses_many_entries<B: Broker>() {
    const MANY: usize = 6_000;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut appends = JoinSet::new();
    for writer in 0..60 {
        let node = node.clone();
        appends.spawn(async move {
            append_numbered(&node, &format!("{writer}"), MANY / 60)
                .await
                .len()
        });
    }
    appends.join_all().await;
    let mut tail = tail(&node, &start).await;
    let entries = take(&mut tail, MANY).await;
    assert_eq!(texts(&entries), texts(&read_all(&node, &start).await));
}
