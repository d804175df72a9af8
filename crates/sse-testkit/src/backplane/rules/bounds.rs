//! The identity of the log, and the positions that can be read.

use sse_core::backplane::{BackplaneError, Bounds, Cursor, Epoch, Position};
use tokio::task::JoinSet;

use crate::backplane::{
    Broker,
    harness::start,
    helpers::{
        ALL, NodeHandle, append, append_numbered, beginning, head, numbered, read_all, texts,
    },
};

pub async fn a_new_log_is_empty<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let Bounds {
        epoch,
        trimmed,
        head,
    } = node.bounds().await.expect("bounds");
    assert_eq!((trimmed, head), (Position::ZERO, Position::ZERO));
    assert_eq!(Epoch::new(epoch.as_str()), Ok(epoch.clone()));
    assert_eq!(
        node.rewind(5).await.expect("a cursor"),
        Cursor::new(epoch, Position::ZERO)
    );
}

pub async fn concurrent_nodes_agree_on_the_log<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let mut nodes = JoinSet::new();
    for number in 0..8 {
        let node = broker.node().await;
        nodes.spawn(async move {
            let first = append(&node, number.to_string()).await;
            (first.epoch, node.bounds().await.expect("bounds").epoch)
        });
    }
    let epochs = nodes.join_all().await;
    for (appended, bounds) in &epochs {
        assert_eq!((appended, bounds), (&epochs[0].0, &epochs[0].0));
    }
    let node = broker.node().await;
    assert_eq!(read_all(&node, &beginning(&node).await).await.len(), 8);
}

pub async fn two_logs_have_two_epochs<B: Broker>() {
    let Some(one) = start::<B>().await else {
        return;
    };
    let Some(other) = start::<B>().await else {
        return;
    };
    let (one, other) = (one.node().await, other.node().await);
    let cursor = append(&one, "in one").await;
    append(&other, "in the other").await;
    expect_epoch(&other, &cursor).await;
}

pub async fn head_is_the_last_entry<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (writer, reader) = (broker.node().await, broker.node().await);
    let empty = reader.bounds().await.expect("bounds");
    for number in 0..5 {
        let cursor = append(&writer, number.to_string()).await;
        let bounds = reader.bounds().await.expect("bounds");
        assert_eq!(
            (bounds.trimmed, bounds.head),
            (Position::ZERO, cursor.position)
        );
        assert!(bounds.epoch == empty.epoch && cursor.epoch == empty.epoch);
    }
}

pub async fn rewind_goes_back_the_given_entries<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    append_numbered(&node, "entry", 12).await;
    for (back, from) in [(0, 12), (1, 11), (3, 9), (12, 0), (13, 0), (u64::MAX, 0)] {
        let cursor = node.rewind(back).await.expect("a cursor");
        assert_eq!(
            texts(&read_all(&node, &cursor).await),
            numbered("entry", from..12),
            "{back} back"
        );
    }
    assert_eq!(node.rewind(0).await.expect("a cursor"), head(&node).await);
}

async fn expect_epoch(node: &NodeHandle, cursor: &Cursor) {
    let now = node.bounds().await.expect("bounds").epoch;
    match node.read(cursor, ALL).await {
        Err(BackplaneError::Epoch { current }) => assert_eq!(current, now),
        other => panic!("a read of another epoch: {other:?}"),
    }
    match node.tail(cursor).await.map(|_| "a tail") {
        Err(BackplaneError::Epoch { current }) => assert_eq!(current, now),
        other => panic!("a tail of another epoch: {other:?}"),
    }
}

pub async fn a_cursor_of_another_epoch_is_refused<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let cursors = append_numbered(&node, "entry", 3).await;
    for epoch in [Epoch::random(), Epoch::new("z").expect("an epoch")] {
        for position in [
            Position::ZERO,
            cursors[1].position,
            Position::new(u64::MAX, u64::MAX),
        ] {
            expect_epoch(&node, &Cursor::new(epoch.clone(), position)).await;
        }
    }
}

pub async fn a_cursor_beyond_the_head_is_refused<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    for _ in 0..2 {
        let head = head(&node).await;
        let next = Position::new(head.position.major(), head.position.minor() + 1);
        for beyond in [
            next,
            Position::new(u64::MAX, u64::MAX),
            Position::new(u64::MAX, 0),
        ] {
            let cursor = Cursor::new(head.epoch.clone(), beyond);
            match node.read(&cursor, ALL).await {
                Err(BackplaneError::Future { head: reported }) => {
                    assert_eq!(reported, head.position);
                }
                other => panic!("a read of the future {cursor}: {other:?}"),
            }
            match node.tail(&cursor).await.map(|_| "a tail") {
                Err(BackplaneError::Future { head: reported }) => {
                    assert_eq!(reported, head.position);
                }
                other => panic!("a tail of the future {cursor}: {other:?}"),
            }
        }
        append_numbered(&node, "entry", 3).await;
    }
}
