//! The nodes that hold leases.

use std::time::Duration;

use bytes::Bytes;
use sse_core::backplane::Lease;

use crate::backplane::{
    Broker,
    harness::{eventually, start},
    helpers::NodeHandle,
};

/// Longer than a rule takes.
const LONG: Duration = Duration::from_secs(600);

fn lease(node: &str, payload: impl Into<Bytes>) -> Lease {
    Lease {
        node: node.into(),
        payload: payload.into(),
    }
}

async fn held(node: &NodeHandle) -> Vec<Lease> {
    let mut leases = node.leases().await.expect("leases");
    leases.sort_by(|one, other| one.node.cmp(&other.node));
    leases
}

pub async fn a_lease_is_seen_by_every_node<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let nodes = [broker.node().await, broker.node().await];
    assert_eq!(held(&nodes[0]).await, []);
    let leases = [
        lease("a", "first"),
        lease("B2", ""),
        lease("c", Bytes::from_iter(0..=u8::MAX)),
    ];
    for (at, lease) in leases.iter().enumerate() {
        nodes[at % 2]
            .hold_lease(lease.clone(), LONG)
            .await
            .expect("a lease");
    }
    let expected = [leases[1].clone(), leases[0].clone(), leases[2].clone()];
    for node in &nodes {
        assert_eq!(held(node).await, expected);
    }
}

pub async fn a_lease_ends_with_its_term<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    node.hold_lease(lease("long", "x"), LONG)
        .await
        .expect("a lease");
    node.hold_lease(lease("short", "x"), Duration::from_secs(1))
        .await
        .expect("a lease");
    let alone = eventually("the end of a term", async || {
        let leases = held(&other).await;
        (leases.len() == 1).then_some(leases)
    });
    assert_eq!(alone.await, [lease("long", "x")]);
    node.hold_lease(lease("short", "again"), LONG)
        .await
        .expect("a lease");
    assert_eq!(
        held(&other).await,
        [lease("long", "x"), lease("short", "again")]
    );
}

pub async fn renewed_lease_lasts_with_the_latest_data<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    node.hold_lease(lease("node", "first"), Duration::from_secs(2))
        .await
        .expect("a lease");
    node.hold_lease(lease("node", "second"), LONG)
        .await
        .expect("a lease");
    assert_eq!(held(&other).await, [lease("node", "second")]);
    // A second lease of the same term shows when the term of the first is over.
    node.hold_lease(lease("witness", ""), Duration::from_secs(2))
        .await
        .expect("a lease");
    let alone = eventually("the end of a term", async || {
        let leases = held(&other).await;
        (!leases.contains(&lease("witness", ""))).then_some(leases)
    });
    assert_eq!(alone.await, [lease("node", "second")]);
    // A shorter term also replaces a longer one.
    node.hold_lease(lease("node", "third"), Duration::from_secs(1))
        .await
        .expect("a lease");
    eventually("the end of a shorter term", async || {
        held(&other).await.is_empty().then_some(())
    })
    .await;
}

pub async fn lease_can_be_dropped<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    for name in ["a", "b"] {
        node.hold_lease(lease(name, name), LONG)
            .await
            .expect("a lease");
    }
    other.drop_lease("a").await.expect("a dropped lease");
    other
        .drop_lease("a")
        .await
        .expect("dropping a lease that is not held");
    node.drop_lease("nobody")
        .await
        .expect("dropping an unknown lease");
    assert_eq!(held(&node).await, [lease("b", "b")]);
    node.hold_lease(lease("a", "again"), LONG)
        .await
        .expect("a lease");
    assert_eq!(held(&other).await, [lease("a", "again"), lease("b", "b")]);
}

pub async fn many_large_leases_are_kept<B: Broker>() {
    const NODES: u8 = 60;
    let Some(broker) = start::<B>().await else {
        return;
    };
    let (node, other) = (broker.node().await, broker.node().await);
    let leases: Vec<_> = (0..NODES)
        .map(|at| lease(&format!("{at:0>64}"), Bytes::from(vec![at; 64 << 10])))
        .collect();
    for lease in &leases {
        node.hold_lease(lease.clone(), LONG).await.expect("a lease");
    }
    assert!(
        held(&other).await == leases,
        "the listed leases differ from the held leases"
    );
}

pub async fn leases_are_not_in_the_log<B: Broker>() {
    let Some(broker) = start::<B>().await else {
        return;
    };
    let node = broker.node().await;
    let before = node.bounds().await.expect("bounds");
    node.hold_lease(lease("a", "x"), LONG)
        .await
        .expect("a lease");
    node.drop_lease("a").await.expect("a dropped lease");
    assert_eq!(node.bounds().await.expect("bounds"), before);
}
