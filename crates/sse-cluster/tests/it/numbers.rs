//! Statistics.

use sse_cluster::ClusterConfig;
use sse_core::{Handshake, Target};
use tokio::time::sleep;

use crate::support::{GRACE, LATER, Node, SOON, TERM, memory, user};

#[tokio::test(start_paused = true)]
async fn streams_are_summed_and_users_counted_once() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _streams = [
        one.connect("ada"),
        one.connect("ada"),
        one.connect("ben"),
        two.connect("ada"),
    ];
    let _anonymous = two.manager.connect(Handshake::new()).unwrap();
    sleep(SOON).await;
    for node in [&one, &two] {
        node.sees(5, 2, 2);
        assert_eq!(
            node.by_user().await,
            [("ada".to_owned(), 3), ("ben".to_owned(), 1)]
        );
        assert_eq!(
            node.cluster.connections_by_user(1).await,
            [(user("ada"), 3)]
        );
        assert_eq!(node.cluster.connections_by_user(0).await, []);
    }
    let stats = two.cluster.stats();
    let of_one = stats
        .nodes
        .iter()
        .find(|node| node.node == one.cluster.node())
        .unwrap();
    assert_eq!(
        (of_one.connections, of_one.unique_users, of_one.complete),
        (3, 2, true)
    );
    assert!(of_one.age <= TERM && stats.age <= TERM, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn ended_streams_are_subtracted() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let (here, there) = (one.connect("ada"), two.connect("ada"));
    sleep(SOON).await;
    drop(here);
    sleep(SOON).await;
    two.sees(1, 1, 2);
    drop(there);
    sleep(SOON).await;
    one.sees(0, 0, 2);
    assert_eq!(one.by_user().await, []);
}

#[tokio::test(start_paused = true)]
async fn starting_node_learns_existing_users() {
    let memory = memory();
    let one = Node::start(&memory).await;
    // More than one page of users.
    let streams: Vec<_> = (0..1000)
        .map(|number| one.connect(&format!("u{number}")))
        .collect();
    let two = Node::start_as(&memory, ClusterConfig::new().name("two")).await;
    sleep(LATER).await;
    two.sees(1000, 1000, 2);
    let stats = one.cluster.stats();
    let of_two = stats
        .nodes
        .iter()
        .find(|node| node.node == two.cluster.node())
        .unwrap();
    assert_eq!(of_two.name.as_deref(), Some("two"));
    drop(streams);
    sleep(SOON).await;
    two.sees(0, 0, 2);
}

#[tokio::test(start_paused = true)]
async fn streams_before_start_count() {
    let memory = memory();
    let one = Node::start(&memory).await;
    let _stream = one.connect("ada");
    one.cluster.shutdown().await;
    let again = sse_cluster::Cluster::start(&one.manager, ClusterConfig::new());
    let two = Node::start(&memory).await;
    sleep(LATER).await;
    assert_eq!(
        (again.stats().connections, again.stats().unique_users),
        (1, 1)
    );
    two.sees(1, 1, 2);
}

#[tokio::test(start_paused = true)]
async fn node_that_shuts_down_departs_at_once() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = one.connect("ada");
    sleep(SOON).await;
    two.sees(1, 1, 2);
    one.cluster.shutdown().await;
    sleep(SOON).await;
    two.sees(0, 0, 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_cluster_departs() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = one.connect("ada");
    sleep(SOON).await;
    drop(one.cluster.clone());
    sleep(SOON).await;
    two.sees(1, 1, 2);
    drop(one.cluster);
    sleep(SOON).await;
    two.sees(0, 0, 1);
}

#[tokio::test(start_paused = true)]
async fn crashed_node_departs_with_its_lease() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let _stream = one.connect("ada");
    sleep(SOON).await;
    one.crash();
    sleep(TERM / 2).await;
    assert_eq!(
        two.cluster.stats().connections,
        1,
        "the lease has ended too early"
    );
    sleep(TERM).await;
    two.sees(0, 0, 1);
    sleep(GRACE).await;
}

#[tokio::test(start_paused = true)]
async fn reach_of_publish_is_known() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let join = |node: &Node| {
        node.manager
            .connect(Handshake::new().user("ada").topic("news"))
            .unwrap()
    };
    let (_here, there, _other) = (join(&one), join(&two), two.connect("ben"));
    sleep(SOON).await;
    for (target, streams, nodes, exact) in [
        (Target::All, 3, 2, false),
        (Target::User(user("ada")), 2, 2, false),
        (Target::User(user("ben")), 1, 1, false),
        (Target::Topic("news".parse().unwrap()), 2, 2, true),
        (Target::Topic("sport".parse().unwrap()), 0, 0, true),
        (Target::Client(there.client_id()), 1, 1, true),
    ] {
        for node in [&one, &two] {
            let reach = node.cluster.reach(&target).await;
            assert_eq!(
                (reach.streams, reach.nodes, reach.exact),
                (streams, nodes, exact),
                "{target:?}"
            );
        }
    }
    two.way.set_away(true);
    sleep(SOON).await;
    let reach = one
        .cluster
        .reach(&Target::Topic("news".parse().unwrap()))
        .await;
    assert_eq!((reach.streams, reach.exact), (1, false));
}
