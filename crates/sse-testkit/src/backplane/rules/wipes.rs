//! A log that is lost.

use sse_core::backplane::{BackplaneError, Cursor, Position};

use crate::backplane::{
    Wipe,
    harness::{eventually, start},
    helpers::{
        ALL, NodeHandle, append, append_numbered, beginning, entry, head, keyed, next, numbered,
        read_all, tail, take, texts, try_append,
    },
};

async fn expect_epoch(node: &NodeHandle, cursor: &Cursor) {
    let read = node.read(cursor, ALL).await;
    assert!(
        matches!(read, Err(BackplaneError::Epoch { .. })),
        "{read:?}"
    );
    let tail = node.tail(cursor).await.map(|_| "a tail");
    assert!(
        matches!(tail, Err(BackplaneError::Epoch { .. })),
        "{tail:?}"
    );
}

pub async fn wiped_log_has_another_epoch<B: Wipe>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let cursors = append_numbered(&node, "before", 5).await;
    drop(node);
    broker.wipe().await;
    let node = broker.node().await;
    let bounds = node.bounds().await.expect("bounds");
    assert_ne!(bounds.epoch, start.epoch);
    assert_eq!(
        (bounds.trimmed, bounds.head),
        (Position::ZERO, Position::ZERO)
    );
    // Also if the new log is longer than the old one was.
    for _ in 0..2 {
        for cursor in [&start, &cursors[2], &cursors[4]] {
            expect_epoch(&node, cursor).await;
        }
        append_numbered(&node, "after", 10).await;
    }
    assert_eq!(read_all(&node, &beginning(&node).await).await.len(), 20);
}

pub async fn keys_of_a_lost_log_do_not_count<B: Wipe>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let before = try_append(&node, keyed("before", "key"))
        .await
        .expect("an append");
    drop(node);
    broker.wipe().await;
    let node = broker.node().await;
    let after = try_append(&node, keyed("after", "key"))
        .await
        .expect("an append");
    assert!(!after.duplicate, "a lost entry is taken for a new one");
    assert_ne!(after.cursor.epoch, before.cursor.epoch);
    assert_eq!(
        texts(&read_all(&node, &beginning(&node).await).await),
        ["after"]
    );
}

pub async fn nodes_notice_that_the_log_was_wiped<B: Wipe>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let (one, other) = (broker.node().await, broker.node().await);
    let start = beginning(&one).await;
    let cursors = append_numbered(&other, "before", 5).await;
    broker.wipe().await;
    for node in [&one, &other] {
        let epoch = eventually("another epoch", async || {
            let epoch = node.bounds().await.ok()?.epoch;
            (epoch != start.epoch).then_some(epoch)
        });
        let epoch = epoch.await;
        assert_eq!(
            epoch,
            beginning(&one).await.epoch,
            "two nodes are in two epochs"
        );
        for cursor in [&start, &cursors[4]] {
            expect_epoch(node, cursor).await;
        }
    }
}

pub async fn appends_go_to_the_current_log<B: Wipe>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let (one, other) = (broker.node().await, broker.node().await);
    let before = append_numbered(&one, "before", 5).await;
    append(&other, "before").await;
    broker.wipe().await;
    for (name, node) in [("one", &one), ("other", &other)] {
        // Without any earlier call. The append may fail a few times, but must not return a cursor
        // that leads nowhere.
        let cursor = eventually("an append to the new log", async || {
            try_append(node, entry(name))
                .await
                .ok()
                .map(|appended| appended.cursor)
        });
        let cursor = cursor.await;
        assert_ne!(
            cursor.epoch, before[0].epoch,
            "a position of a new log in the old epoch"
        );
        assert_eq!(cursor, head(node).await);
    }
    let texts = texts(&read_all(&one, &beginning(&one).await).await);
    assert_eq!(texts, ["one", "other"]);
}

pub async fn tail_never_continues_in_another_log<B: Wipe>() {
    for refill in [0, 3, 40] {
        let Some(mut broker) = start::<B>().await else {
            return;
        };
        let (one, other) = (broker.node().await, broker.node().await);
        append_numbered(&one, "before", 20).await;
        let mut caught_up = tail(&one, &beginning(&one).await).await;
        take(&mut caught_up, 20).await;
        let mut lagging = tail(&one, &beginning(&one).await).await;
        broker.wipe().await;
        for number in 0..refill {
            eventually("an append to the new log", async || {
                try_append(&other, entry(format!("after/{number}")))
                    .await
                    .ok()
            })
            .await;
        }
        expect_end(&mut caught_up).await;
        expect_end(&mut lagging).await;
    }
}

/// Expects the end of a tail: earlier entries may arrive, then an error that reports the loss, or a
/// lost connection.
async fn expect_end(tail: &mut Box<dyn sse_core::backplane::Tail>) {
    for _ in 0..60 {
        match next(tail).await {
            Ok(batch) => {
                let texts = texts(&batch.entries);
                assert!(
                    texts.iter().all(|text| text.starts_with("before/")),
                    "a wrong entry: {texts:?}"
                );
            }
            Err(BackplaneError::Epoch { .. } | BackplaneError::Unavailable { .. }) => return,
            Err(error) => panic!("a tail of a lost log: {error:?}"),
        }
    }
    panic!("a tail of a lost log continues");
}

pub async fn a_wiped_log_is_followed_anew<B: Wipe>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let (one, other) = (broker.node().await, broker.node().await);
    append_numbered(&one, "before", 20).await;
    broker.wipe().await;
    let start = eventually("another log", async || {
        let bounds = other.bounds().await.ok()?;
        (bounds.head == Position::ZERO).then(|| Cursor::new(bounds.epoch, Position::ZERO))
    });
    let mut live = tail(&other, &start.await).await;
    for number in 0..5 {
        eventually("an append to the new log", async || {
            try_append(&one, entry(format!("after/{number}")))
                .await
                .ok()
        })
        .await;
    }
    assert_eq!(texts(&take(&mut live, 5).await), numbered("after", 0..5));
}
