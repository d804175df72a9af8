//! Clusters of one node.

use sse_cluster::{Cluster, ClusterConfig, ClusterQuery};
use sse_core::{DisconnectOptions, Handshake, Manager, Target};

use crate::support::user;

/// The clusters are created outside a runtime.
fn managers() -> [Cluster; 2] {
    let manager = || Manager::builder().build().unwrap();
    [
        Cluster::alone(&manager()),
        Cluster::start(&manager(), ClusterConfig::new()),
    ]
}

#[test]
fn lone_cluster_replies_exactly_and_at_once() {
    for cluster in managers() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let manager = cluster.manager();
            let connect = |name: &str| {
                manager
                    .connect(Handshake::new().user(name).topic("news"))
                    .unwrap()
            };
            let streams = [connect("ada"), connect("ada"), connect("ben")];
            let stats = cluster.stats();
            assert_eq!(
                (stats.connections, stats.unique_users, stats.complete),
                (3, 2, true)
            );
            assert_eq!(
                (stats.nodes.len(), stats.nodes[0].node),
                (1, cluster.node())
            );
            let by_user = cluster.connections_by_user(10).await;
            assert_eq!(by_user, [(user("ada"), 2), (user("ben"), 1)]);
            for target in [Target::All, Target::Topic("news".parse().unwrap())] {
                let reach = cluster.reach(&target).await;
                assert_eq!((reach.streams, reach.nodes, reach.exact), (3, 1, true));
            }
            let page = cluster.connections(&ClusterQuery::first(2)).await;
            assert_eq!((page.items.len(), page.complete), (2, true));
            let page = cluster
                .connections(&ClusterQuery::first(2).after(page.next_cursor))
                .await;
            assert_eq!((page.items.len(), page.next_cursor), (1, None));
            let id = streams[0].client_id();
            assert_eq!(
                cluster.join(id, &["sport".parse().unwrap()]).await.value,
                Some(1)
            );
            assert_eq!(cluster.connection(id).await.value.unwrap().topics.len(), 2);
            let ended = cluster
                .disconnect(user("ada"), DisconnectOptions::new())
                .await;
            assert_eq!((ended.streams, ended.complete), (2, true));
            let found = cluster.connection(id).await;
            assert_eq!((found.value, found.complete), (None, true));
            cluster.shutdown().await;
            assert_eq!(cluster.stats().connections, 1);
        });
    }
}
