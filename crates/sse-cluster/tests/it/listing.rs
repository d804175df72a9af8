//! Listings of streams on all nodes.

use std::collections::BTreeSet;

use sse_cluster::{Cluster, ClusterQuery};
use sse_core::{Handshake, Session};
use tokio::time::sleep;

use crate::support::{Node, SOON, memory, user};

async fn pages(cluster: &Cluster, query: ClusterQuery) -> Vec<Vec<String>> {
    let (mut pages, mut query) = (Vec::new(), query);
    loop {
        let page = cluster.connections(&query).await;
        assert!(page.complete && page.unanswered.is_empty());
        assert!(page.items.len() <= query.limit);
        pages.push(
            page.items
                .iter()
                .map(|item| item.connection.client_id.to_string())
                .collect(),
        );
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return pages;
        }
    }
}

fn ids<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> BTreeSet<String> {
    sessions
        .into_iter()
        .map(|session| session.client_id().to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_stream_is_listed_once_at_any_page_size() {
    let memory = memory();
    let nodes = [
        Node::start(&memory).await,
        Node::start(&memory).await,
        Node::start(&memory).await,
    ];
    let sessions: Vec<_> = (0..12)
        .map(|number| nodes[number % 2].connect("ada"))
        .collect();
    for limit in [1, 2, 3, 5, 6, 7, 12, 13, 1000] {
        for node in &nodes {
            let pages = pages(&node.cluster, ClusterQuery::first(limit)).await;
            let full = pages.iter().filter(|page| page.len() == limit).count();
            assert_eq!(full, 12 / limit, "pages are not full");
            let all: Vec<_> = pages.concat();
            assert_eq!(all.len(), 12, "{limit}");
            assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), ids(&sessions));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn listing_is_filtered_and_names_nodes() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let connect = |node: &Node, name: &str, topic: &str| {
        node.manager
            .connect(Handshake::new().user(name).topic(topic))
            .unwrap()
    };
    let (a, b) = (connect(&one, "ada", "news"), connect(&two, "ada", "sport"));
    let c = connect(&two, "ben", "news");
    let of = |query: ClusterQuery| pages(&one.cluster, query);
    let all = ClusterQuery::first(10);
    assert_eq!(
        of(all.clone().user(user("ada")))
            .await
            .concat()
            .into_iter()
            .collect::<BTreeSet<_>>(),
        ids([&a, &b])
    );
    let news = all.clone().topic("news".parse().unwrap());
    assert_eq!(
        of(news.clone())
            .await
            .concat()
            .into_iter()
            .collect::<BTreeSet<_>>(),
        ids([&a, &c])
    );
    assert_eq!(
        of(news.user(user("ben"))).await.concat(),
        [c.client_id().to_string()]
    );
    assert!(
        of(all.clone().user(user("nobody")))
            .await
            .concat()
            .is_empty()
    );
    let page = one.cluster.connections(&all).await;
    let places: BTreeSet<_> = page
        .items
        .iter()
        .map(|item| (item.connection.client_id.to_string(), item.node))
        .collect();
    let expected = [(&a, &one), (&b, &two), (&c, &two)]
        .map(|(session, node)| (session.client_id().to_string(), node.cluster.node()));
    assert_eq!(places, BTreeSet::from(expected));
    let described = page
        .items
        .iter()
        .find(|item| item.connection.client_id == b.client_id())
        .unwrap();
    assert_eq!(
        Some(&described.connection),
        two.manager.connection(b.client_id()).as_ref()
    );
}

#[tokio::test(start_paused = true)]
async fn listing_exceeds_one_signal() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let topics: Vec<_> = (0..64)
        .map(|number| format!("{number}{}", "x".repeat(250)))
        .collect();
    let sessions: Vec<_> = (0..300)
        .map(|_| {
            let handshake = Handshake::new().user("ada");
            let handshake = topics.iter().fold(handshake, |handshake, topic| {
                handshake.topic(topic.as_str())
            });
            two.manager.connect(handshake).unwrap()
        })
        .collect();
    let pages = pages(&one.cluster, ClusterQuery::first(1000)).await;
    assert_eq!((pages.len(), pages[0].len()), (1, 300));
    assert_eq!(
        pages.concat().into_iter().collect::<BTreeSet<_>>(),
        ids(&sessions)
    );
}

#[tokio::test(start_paused = true)]
async fn silent_node_is_named_and_left_out() {
    let memory = memory();
    let (one, two) = (Node::start(&memory).await, Node::start(&memory).await);
    let own = one.connect("ada");
    let _other = two.connect("ben");
    sleep(SOON).await;
    two.way.set_away(true);
    sleep(SOON).await;
    let page = one.cluster.connections(&ClusterQuery::first(10)).await;
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].connection.client_id, own.client_id());
    assert_eq!(
        (page.unanswered, page.complete),
        (vec![two.cluster.node()], false)
    );
    assert_eq!(page.next_cursor, None);
}
