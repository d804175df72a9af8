//! Statistics of a cluster.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use sse_core::UserId;
use tokio::task::yield_now;

use crate::{cluster::Cluster, node::KnownNode, node_id::NodeId, sharded_map::SHARDS};

/// Statistics of a cluster: current numbers of this node, and the last reported numbers of other
/// nodes.
///
/// ```
/// use sse_cluster::Cluster;
/// use sse_core::{Handshake, Manager};
///
/// let manager = Manager::builder().build()?;
/// let cluster = Cluster::alone(&manager);
/// let stream = manager.connect(Handshake::new().user("42"))?;
///
/// let stats = cluster.stats();
/// assert_eq!((stats.connections, stats.unique_users, stats.nodes.len()), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Number of live streams on all nodes.
    pub connections: usize,
    /// Number of users with at least one live stream on any node; each user counts once.
    pub unique_users: usize,
    /// All nodes including this one, ordered by id.
    pub nodes: Vec<NodeStats>,
    /// Maximum of the nodes' ages.
    pub age: Duration,
    /// Set if the list of nodes is current, and every node's users are known up to its last report.
    /// Otherwise numbers can be outdated or lack a node.
    pub complete: bool,
}

/// Statistics of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// The id of the node.
    pub node: NodeId,
    /// The [name](crate::ClusterConfig::name) of the node.
    pub name: Option<Arc<str>>,
    /// Number of live streams on the node.
    pub connections: usize,
    /// Number of users with at least one live stream on the node.
    pub unique_users: usize,
    /// Time since the last information on the node. The lease of a quiet node confirms its state
    /// about every third of the [term](crate::ClusterConfig::term).
    pub age: Duration,
    /// Set if the node's users are known up to its last report.
    pub complete: bool,
}

impl Cluster {
    /// Returns statistics of the cluster from the state of this node, without asking other nodes.
    /// The cost does not depend on the number of streams.
    ///
    /// *Eventual.* All nodes know a change after about
    /// [`ClusterConfig::batch`](crate::ClusterConfig::batch). The streams of a crashed node count
    /// until its lease has ended. Without a backplane the numbers are exact.
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

    /// Returns the users with the most streams on all nodes, with their number of streams: at most
    /// `limit` users, in descending order. Eventual, like [`Cluster::stats`].
    ///
    /// Iterates over all users, in steps between which other tasks run.
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
                        .is_some_and(|Reverse((least, _)): &RankedUser| *least <= streams);
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

/// The smallest element is on top, to be removed. Among equals, the last by name is removed.
type RankedUser = Reverse<(u64, Reverse<UserId>)>;

impl NodeStats {
    fn of(id: NodeId, node: &KnownNode) -> Self {
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
