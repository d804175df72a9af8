//! Numbers about a cluster.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use sse_core::UserId;
use tokio::task::yield_now;

use crate::{cluster::Cluster, node::Node, node_id::NodeId, sharded_map::SHARDS};

/// Numbers about a cluster: this node's of now, the others' as they last reported them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Live streams on all nodes.
    pub connections: usize,
    /// Users with at least one live stream on any node; each counts once.
    pub unique_users: usize,
    /// Every node, this one included, by id.
    pub nodes: Vec<NodeStats>,
    /// The greatest of the nodes' ages.
    pub age: Duration,
    /// Whether it is known who is there, and every node's users are known to their last report.
    /// Otherwise numbers may be of the past or lack a node.
    pub complete: bool,
}

/// Numbers about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Which one.
    pub node: NodeId,
    /// What it is [called](crate::ClusterConfig::name).
    pub name: Option<Arc<str>>,
    /// Live streams on it.
    pub connections: usize,
    /// Users with at least one live stream on it.
    pub unique_users: usize,
    /// For how long nothing is known of it. A quiet node is heard of about every third of its
    /// [term](crate::ClusterConfig::term).
    pub age: Duration,
    /// Whether its users are known to its last report.
    pub complete: bool,
}

impl Cluster {
    /// Numbers about the cluster, of what this node knows; nobody is asked. Costs the same at any
    /// number of streams.
    ///
    /// *Eventual.* A change is known everywhere after about
    /// [`ClusterConfig::batch`](crate::ClusterConfig::batch); the streams of a node that crashed
    /// count until its lease has ended. Without a backplane it is exact.
    #[must_use]
    pub fn stats(&self) -> ClusterStats {
        let own = self.manager().stats();
        let state = self.shared.membership.lock();
        let is_alone = !self.has_others();
        let nodes = state.nodes().map(|(id, node)| {
            let stats = NodeStats::of(id, node);
            if id != self.node() {
                return stats;
            }
            let (connections, unique_users) = (own.total_connections, own.unique_users);
            NodeStats {
                connections,
                unique_users,
                age: Duration::ZERO,
                complete: true,
                ..stats
            }
        });
        let nodes: Vec<_> = nodes.collect();
        let knows_nodes = is_alone || state.knows_nodes(self.shared.config.term);
        ClusterStats {
            connections: nodes.iter().map(|node| node.connections).sum(),
            unique_users: if is_alone {
                own.unique_users
            } else {
                state.presence.present()
            },
            age: nodes.iter().map(|node| node.age).max().unwrap_or_default(),
            complete: knows_nodes && nodes.iter().all(|node| node.complete),
            nodes,
        }
    }

    /// How many streams each user has on all nodes: those users with the most, at most `limit`, in
    /// falling order. Eventual, as [`Cluster::stats`].
    ///
    /// Looks at every user, in steps between which others go on.
    pub async fn connections_by_user(&self, limit: usize) -> Vec<(UserId, usize)> {
        if !self.has_others() {
            return self.manager().connections_by_user(limit).await;
        }
        let mut most = BinaryHeap::new();
        for shard in 0..SHARDS {
            for (user, streams) in self.shared.membership.lock().presence.shard(shard) {
                let is_among = most.len() < limit
                    || most
                        .peek()
                        .is_some_and(|Reverse((least, _)): &Most| *least <= streams);
                if is_among {
                    most.push(Reverse((streams, Reverse(user.clone()))));
                }
                if most.len() > limit {
                    most.pop();
                }
            }
            yield_now().await;
        }
        let number = |streams: u64| usize::try_from(streams).unwrap_or(usize::MAX);
        most.into_sorted_vec()
            .into_iter()
            .map(|Reverse((streams, Reverse(user)))| (user, number(streams)))
            .collect()
    }
}

/// The smallest on top, to be thrown out; of equals the last by name.
type Most = Reverse<(u64, Reverse<UserId>)>;

impl NodeStats {
    fn of(id: NodeId, node: &Node) -> Self {
        Self {
            node: id,
            name: node.name.clone(),
            connections: usize::try_from(node.streams).unwrap_or(usize::MAX),
            unique_users: node.users.len(),
            age: node.as_of.elapsed(),
            complete: node.is_current(),
        }
    }
}
