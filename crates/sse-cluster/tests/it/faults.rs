//! Lost messages between nodes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use sse_core::backplane::{Backplane, Lease, SignalHandler};
use tokio::time::sleep;

use crate::support::{LATER, Node, SOON, TERM, memory};

#[tokio::test(start_paused = true)]
async fn lost_report_is_detected_by_next_report() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    one.way.lose_signals(1);
    let _lost = one.connect("ada");
    sleep(SOON).await;
    let _heard = one.connect("ben");
    sleep(Duration::from_secs(3)).await;
    two.sees(2, 2, 2);
}

#[tokio::test(start_paused = true)]
async fn lost_last_report_is_detected_by_lease() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let gone = one.connect("ada");
    sleep(SOON).await;
    one.way.lose_signals(1);
    drop(gone);
    sleep(SOON).await;
    assert_eq!(two.cluster.stats().unique_users, 1);
    sleep(LATER).await;
    two.sees(0, 0, 2);
}

#[tokio::test(start_paused = true)]
async fn changes_during_outage_are_recovered() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let gone = one.connect("ada");
    sleep(SOON).await;
    two.way.set_away(true);
    sleep(SOON).await;
    drop(gone);
    let _new = one.connect("ben");
    sleep(SOON).await;
    two.way.set_away(false);
    sleep(LATER).await;
    two.sees(1, 1, 2);
    one.sees(1, 1, 2);
}

#[tokio::test(start_paused = true)]
async fn isolated_node_serves_last_known_state() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = one.connect("ada");
    sleep(SOON).await;
    two.way.set_away(true);
    sleep(TERM * 2).await;
    let _own = two.connect("ben");
    sleep(SOON).await;
    let stats = two.cluster.stats();
    assert_eq!(
        (stats.connections, stats.unique_users, stats.complete),
        (2, 2, false)
    );
    assert!(stats.age >= TERM, "{stats:?}");
    one.sees(1, 1, 1);
    two.way.set_away(false);
    sleep(LATER).await;
    for node in [&one, &two] {
        node.sees(2, 2, 2);
        assert_eq!(
            node.by_user().await,
            [("ada".to_owned(), 1), ("ben".to_owned(), 1)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn overflowing_changes_are_recovered() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let kept: Vec<_> = (0..100)
        .map(|number| one.connect(&format!("kept{number}")))
        .collect();
    sleep(SOON).await;
    // All in one batch, since the loop does not await.
    let many: Vec<_> = (0..70_000)
        .map(|number| one.connect(&format!("u{number}")))
        .collect();
    drop(many);
    let leaving = kept.into_iter().take(50);
    drop(leaving);
    let rest: Vec<_> = (0..50)
        .map(|number| one.connect(&format!("new{number}")))
        .collect();
    sleep(LATER).await;
    for node in [&one, &two] {
        node.sees(50, 50, 2);
    }
    drop(rest);
}

/// Records the messages of nodes.
#[derive(Default)]
struct Ear(Mutex<Vec<Bytes>>);

impl SignalHandler for Ear {
    fn signalled(&self, payload: Bytes) {
        self.0.lock().unwrap().push(payload);
    }
}

#[tokio::test(start_paused = true)]
async fn damaged_and_foreign_messages_are_ignored() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = one.connect("ada");
    sleep(SOON).await;
    for payload in [
        &b""[..],
        b"hello",
        b"ssec",
        b"ssec\x01",
        b"ssec\x02xxxx",
        b"ssec\x01\xff\xff\xff\xff\xff",
    ] {
        one.manager.signal(payload).await.unwrap();
    }
    let lease = |payload: &'static [u8], node: &str| Lease {
        node: node.into(),
        payload: payload.into(),
    };
    for lease in [
        lease(b"x", "other"),
        lease(b"ssec\x01", "00000000000000aa"),
        lease(b"x", "00000000000000ab"),
    ] {
        memory.hold_lease(lease, TERM).await.unwrap();
    }
    sleep(LATER).await;
    two.sees(1, 1, 2);
}

#[tokio::test(start_paused = true)]
async fn repeated_or_late_reports_change_nothing() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let ear = Arc::new(Ear::default());
    two.manager.on_signal(ear.clone());
    let first = one.connect("ada");
    sleep(SOON).await;
    drop(first);
    let _second = one.connect("ben");
    sleep(SOON).await;
    let said = std::mem::take(&mut *ear.0.lock().unwrap());
    assert!(said.len() >= 2, "{said:?}");
    for payload in said.iter().chain(said.iter().rev()) {
        one.manager.signal(payload).await.unwrap();
    }
    sleep(SOON).await;
    two.sees(1, 1, 2);
    sleep(LATER).await;
    two.sees(1, 1, 2);
}

#[tokio::test(start_paused = true)]
async fn idle_cluster_is_silent_and_churn_is_batched() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let streams: Vec<_> = (0..5000)
        .map(|number| one.connect(&format!("u{number}")))
        .collect();
    sleep(LATER).await;
    two.sees(5000, 5000, 2);
    let ear = Arc::new(Ear::default());
    two.manager.on_signal(ear.clone());
    sleep(TERM * 10).await;
    assert_eq!(ear.0.lock().unwrap().len(), 0);
    // A report has 256 users.
    drop(streams);
    sleep(SOON).await;
    let said = ear.0.lock().unwrap().len();
    assert!((20..=25).contains(&said), "{said}");
}
