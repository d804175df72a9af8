//! The order of entries.

use std::collections::HashSet;

use sse_core::backplane::{Cursor, Entry};
use tokio::task::JoinSet;

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{
        NodeHandle, append, append_numbered, assert_quiet, assert_rising, beginning, entry, head,
        numbered, read_all, tail, take, text, texts, try_append,
    },
};

const NODES: usize = 3;
const WRITERS: usize = 4;
const ENTRIES: usize = 40;

async fn write(node: NodeHandle, name: String) -> Vec<(String, Cursor)> {
    let cursors = append_numbered(&node, &name, ENTRIES).await;
    numbered(&name, 0..ENTRIES)
        .into_iter()
        .zip(cursors)
        .collect()
}

pub async fn every_node_follows_one_order<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let mut nodes = Vec::new();
    let mut tails = Vec::new();
    for _ in 0..NODES {
        let node = broker.node().await;
        tails.push(tail(&node, &beginning(&node).await).await);
        nodes.push(node);
    }
    let mut writers = JoinSet::new();
    for (at, node) in nodes.iter().enumerate() {
        for writer in 0..WRITERS {
            writers.spawn(write(node.clone(), format!("{at}-{writer}")));
        }
    }
    let mut orders: Vec<Vec<Entry>> = Vec::new();
    for tail in &mut tails {
        orders.push(take(tail, NODES * WRITERS * ENTRIES).await);
        assert_quiet(tail).await;
    }
    let order = &orders[0];
    assert_rising(order);
    for other in &orders[1..] {
        assert_eq!(texts(other), texts(order), "two nodes see different orders");
        assert_eq!(
            other, order,
            "two nodes see an entry at different positions"
        );
    }
    let written: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(written.len(), order.len());
    for (name, cursor) in written {
        let entry = order.iter().find(|entry| entry.position == cursor.position);
        assert_eq!(
            entry.map(text),
            Some(name),
            "another entry is at the cursor of an append"
        );
    }
}

pub async fn appends_of_one_task_stand_in_their_order<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        writers.spawn(write(node.clone(), writer.to_string()));
    }
    writers.join_all().await;
    let order = texts(&read_all(&node, &start).await);
    for writer in 0..8 {
        let begins = format!("{writer}/");
        let own: Vec<_> = order
            .iter()
            .filter(|text| text.starts_with(&begins))
            .cloned()
            .collect();
        assert_eq!(own, numbered(&writer.to_string(), 0..ENTRIES));
    }
}

pub async fn entries_are_read_in_order_after_any_cursor<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let start = head(&reader).await;
    let cursors = append_numbered(&writer, "entry", 12).await;
    for pair in cursors.windows(2) {
        assert!(
            pair[0].position < pair[1].position,
            "{} then {}",
            pair[0],
            pair[1]
        );
        assert_eq!(pair[0].epoch, pair[1].epoch);
    }
    assert!(start.position < cursors[0].position);
    for (at, cursor) in cursors.iter().enumerate() {
        let read: Cursor = cursor
            .to_string()
            .parse()
            .expect("a cursor that was written");
        assert_eq!(read, *cursor);
        assert_eq!(
            texts(&read_all(&reader, &read).await),
            numbered("entry", at + 1..12)
        );
    }
}

pub async fn many_appends_at_once_are_all_acknowledged<B: Broker>() {
    const MANY: usize = 2_000;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    let start = beginning(&nodes[0]).await;
    let mut appends = JoinSet::new();
    for number in 0..MANY {
        let node = nodes[number % nodes.len()].clone();
        appends.spawn(async move { append(&node, number.to_string()).await.position });
    }
    let positions: HashSet<_> = appends.join_all().await.into_iter().collect();
    assert_eq!(positions.len(), MANY, "two appends have one position");
    let entries = read_all(&nodes[0], &start).await;
    assert_rising(&entries);
    let held: HashSet<_> = entries.iter().map(|entry| entry.position).collect();
    assert_eq!(held, positions);
    let held: HashSet<_> = texts(&entries).into_iter().collect();
    assert_eq!(held, (0..MANY).map(|number| number.to_string()).collect());
}

pub async fn an_append_that_is_dropped_harms_no_other<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut kept = Vec::new();
    for number in 0..60_u64 {
        let wait = std::time::Duration::from_micros(number * 61 % 1_500);
        // The entry may or may not be appended, but not twice, and the next append is not blocked.
        let _ = tokio::time::timeout(wait, node.append(entry(format!("dropped/{number}")))).await;
        let appended = try_append(&node, entry(format!("kept/{number}")))
            .await
            .expect("an append");
        kept.push(appended.cursor.position);
    }
    let entries = read_all(&node, &start).await;
    let distinct: HashSet<_> = texts(&entries).into_iter().collect();
    assert_eq!(
        distinct.len(),
        entries.len(),
        "an append that was dropped took effect twice"
    );
    let held: Vec<_> = entries
        .iter()
        .filter(|entry| entry.payload.starts_with(b"kept"))
        .collect();
    assert_eq!(
        held.iter().map(|entry| entry.position).collect::<Vec<_>>(),
        kept
    );
}
