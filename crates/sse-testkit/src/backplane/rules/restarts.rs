//! Nodes that end with a crash of the broker, and new nodes after its restart.

use sse_core::{access::KeyScope, config::KeyLimits};
use tokio::task::JoinSet;

use crate::backplane::{
    Restart,
    harness::start,
    helpers::{
        append, append_numbered, beginning, keyed, numbered, read_all, scoped, texts, try_append,
        user,
    },
};

pub async fn acknowledged_entries_outlive_a_restart<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let node = node.clone();
        writers.spawn(async move { append_numbered(&node, &writer.to_string(), 25).await });
    }
    writers.join_all().await;
    let before = read_all(&node, &start).await;
    let bounds = node.bounds().await.expect("bounds");
    drop(node);
    for _ in 0..2 {
        broker.stop().await;
        broker.resume().await;
        let node = broker.node().await;
        assert_eq!(node.bounds().await.expect("bounds"), bounds);
        assert_eq!(read_all(&node, &start).await, before);
    }
}

pub async fn a_log_goes_on_after_a_restart<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let mut last = append(&node, "entry/0").await;
    drop(node);
    for number in 1..4 {
        broker.stop().await;
        broker.resume().await;
        let node = broker.node().await;
        let next = append(&node, format!("entry/{number}")).await;
        assert!(
            next.position > last.position && next.epoch == last.epoch,
            "{last} then {next}"
        );
        last = next;
    }
    let node = broker.node().await;
    assert_eq!(
        texts(&read_all(&node, &start).await),
        numbered("entry", 0..4)
    );
}

pub async fn keys_outlive_a_restart<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let first = try_append(&node, keyed("first", "key"))
        .await
        .expect("an append");
    append(&node, "second").await;
    drop(node);
    broker.stop().await;
    broker.resume().await;
    let node = broker.node().await;
    let again = try_append(&node, keyed("again", "key"))
        .await
        .expect("an append");
    assert!(again.duplicate, "a key counts again after a restart");
    assert_eq!(again.cursor, first.cursor);
    assert_eq!(texts(&read_all(&node, &start).await), ["first", "second"]);
}

pub async fn scopes_of_keys_outlive_a_restart<B: Restart>() {
    let Some(mut broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let start = beginning(&node).await;
    let keyed_by =
        |text: &str, scope: &KeyScope| scoped(text, scope, "order-7-paid", KeyLimits::default());
    let before = [user("42"), KeyScope::Anonymous];
    for scope in &before {
        assert!(
            !try_append(&node, keyed_by("before", scope))
                .await
                .expect("an append")
                .duplicate
        );
    }
    drop(node);
    broker.stop().await;
    broker.resume().await;
    let node = broker.node().await;
    for scope in &before {
        assert!(
            try_append(&node, keyed_by("again", scope))
                .await
                .expect("an append")
                .duplicate
        );
    }
    for scope in [user("43"), KeyScope::App] {
        let appended = try_append(&node, keyed_by("after", &scope))
            .await
            .expect("an append");
        assert!(
            !appended.duplicate,
            "{scope:?} is taken for another scope after a restart"
        );
    }
    assert_eq!(
        texts(&read_all(&node, &start).await),
        ["before", "before", "after", "after"]
    );
}
