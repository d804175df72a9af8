//! Reads, page by page.

use sse_core::backplane::{Page, ReadLimit};

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{
        NodeHandle, append, append_numbered, assert_rising, beginning, head, numbered, read_all,
        texts,
    },
};

const MANY_BYTES: usize = 1 << 20;

async fn pages(node: &NodeHandle, limit: ReadLimit) -> Vec<Page> {
    let mut after = beginning(node).await;
    let mut pages = Vec::new();
    loop {
        let page = node.read(&after, limit).await.expect("a page");
        after.position = page.entries.last().expect("at least one entry").position;
        let at_head = page.at_head;
        pages.push(page);
        if at_head {
            return pages;
        }
    }
}

pub async fn a_page_ends_at_its_limit_of_entries<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    append_numbered(&node, "entry", 25).await;
    let ten = pages(
        &node,
        ReadLimit {
            entries: 10,
            bytes: MANY_BYTES,
        },
    )
    .await;
    assert_eq!(
        ten.iter()
            .map(|page| page.entries.len())
            .collect::<Vec<_>>(),
        [10, 10, 5]
    );
    let all: Vec<_> = ten.into_iter().flat_map(|page| page.entries).collect();
    assert_eq!(texts(&all), numbered("entry", 0..25));
    assert_rising(&all);
    // The last page is full, and is still reported as the last.
    let five = pages(
        &node,
        ReadLimit {
            entries: 5,
            bytes: MANY_BYTES,
        },
    )
    .await;
    assert_eq!(
        five.iter()
            .map(|page| page.entries.len())
            .collect::<Vec<_>>(),
        [5; 5]
    );
    let one = pages(
        &node,
        ReadLimit {
            entries: 1,
            bytes: MANY_BYTES,
        },
    )
    .await;
    assert_eq!(one.len(), 25);
}

pub async fn page_ends_at_its_byte_limit_after_one_entry<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    for number in 0..6 {
        append(&node, format!("{number:0>100}")).await;
    }
    append(&node, format!("{:0>5000}", 6)).await;
    append(&node, "7").await;
    let pages = pages(
        &node,
        ReadLimit {
            entries: 100,
            bytes: 250,
        },
    )
    .await;
    assert_eq!(
        pages
            .iter()
            .map(|page| page.entries.len())
            .collect::<Vec<_>>(),
        [2, 2, 2, 1, 1]
    );
    let start = beginning(&node).await;
    let page = node
        .read(
            &start,
            ReadLimit {
                entries: 100,
                bytes: 0,
            },
        )
        .await
        .expect("a page");
    assert_eq!((page.entries.len(), page.at_head), (1, false));
}

pub async fn page_after_the_head_is_empty<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let limit = ReadLimit {
        entries: 10,
        bytes: MANY_BYTES,
    };
    assert_eq!(
        node.read(&head(&node).await, limit)
            .await
            .expect("a page of an empty log"),
        Page {
            entries: Vec::new(),
            at_head: true
        }
    );
    let last = append_numbered(&node, "entry", 3)
        .await
        .pop()
        .expect("three cursors");
    let page = node.read(&last, limit).await.expect("a page");
    assert_eq!(
        page,
        Page {
            entries: Vec::new(),
            at_head: true
        }
    );
}

pub async fn pages_have_no_hole_while_appends_come<B: Broker>() {
    const ENTRIES: usize = 300;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let mut after = beginning(&reader).await;
    let writer = tokio::spawn(async move { append_numbered(&writer, "entry", ENTRIES).await });
    let mut read = Vec::new();
    while read.len() < ENTRIES {
        let page = reader
            .read(
                &after,
                ReadLimit {
                    entries: 7,
                    bytes: MANY_BYTES,
                },
            )
            .await
            .expect("a page");
        if let Some(last) = page.entries.last() {
            after.position = last.position;
        }
        read.extend(page.entries);
    }
    assert_eq!(texts(&read), numbered("entry", 0..ENTRIES));
    let cursors = writer.await.expect("the writer");
    assert!(
        read.iter()
            .zip(&cursors)
            .all(|(entry, cursor)| entry.position == cursor.position)
    );
}

pub async fn acknowledged_entries_are_read_by_every_node<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    let mut after = beginning(&nodes[0]).await;
    for number in 0..40 {
        let cursor = append(&nodes[number % 2], number.to_string()).await;
        for node in &nodes {
            assert_eq!(texts(&read_all(node, &after).await), [number.to_string()]);
            assert_eq!(node.bounds().await.expect("bounds").head, cursor.position);
        }
        after = cursor;
    }
}
