//! Counts the streams that a publish reaches.

use sse_core::Target;

use crate::{
    cluster::Cluster,
    messages::{NodeRequest, NodeResponse},
};

/// The number of streams in a target, on all nodes.
///
/// ```
/// use sse_cluster::Cluster;
/// use sse_core::{Handshake, Manager, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let cluster = Cluster::alone(&manager);
/// let stream = manager.connect(Handshake::new().topic("news"))?;
///
/// let reach = cluster.reach(&Target::Topic("news".parse()?)).await;
/// assert_eq!((reach.streams, reach.nodes, reach.exact), (1, 1, true));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// Number of live streams.
    pub streams: usize,
    /// Number of nodes that the streams are on.
    pub nodes: usize,
    /// Set if every existing node was asked and has replied. Otherwise the numbers are this node's
    /// eventual state, or lack nodes that did not reply.
    pub exact: bool,
}

impl Cluster {
    /// Returns the number of streams in a target, on all nodes. A [`Receipt`](sse_core::Receipt)
    /// counts only the streams of this node.
    ///
    /// For all streams or one user, this node answers from its own state, like [`Cluster::stats`]:
    /// cheap and eventual. For a topic or a client, all nodes are asked, and each reply is exact at
    /// its moment. A client of this node is counted without asking the others.
    pub async fn reach(&self, target: &Target) -> Reach {
        let own = self.manager().count(target);
        let nodes = usize::from(own > 0);
        if !self.has_others() {
            return Reach {
                streams: own,
                nodes,
                exact: true,
            };
        }
        match target {
            Target::All => {
                let stats = self.stats();
                let nodes = stats
                    .nodes
                    .iter()
                    .filter(|node| node.connections > 0)
                    .count();
                Reach {
                    streams: stats.connections,
                    nodes,
                    exact: false,
                }
            }
            Target::User(user) => {
                let state = self.shared.membership.lock();
                let streams = usize::try_from(state.presence.streams(user)).unwrap_or(usize::MAX);
                Reach {
                    streams,
                    nodes: state.nodes_of(user),
                    exact: false,
                }
            }
            Target::Client(_) if own > 0 => Reach {
                streams: own,
                nodes,
                exact: true,
            },
            Target::Client(_) | Target::Topic(_) => {
                let is_client = matches!(target, Target::Client(_));
                let enough = |response: &NodeResponse| {
                    is_client && matches!(response, NodeResponse::Count(1..))
                };
                let responses = self
                    .shared
                    .ask_all(NodeRequest::Count(target.clone()), enough)
                    .await;
                let counts = responses
                    .given
                    .values()
                    .filter_map(|response| match response {
                        NodeResponse::Count(count) => usize::try_from(*count).ok(),
                        _ => None,
                    });
                let counts: Vec<_> = counts.filter(|count| *count > 0).collect();
                Reach {
                    streams: own + counts.iter().sum::<usize>(),
                    nodes: nodes + counts.len(),
                    exact: responses.complete,
                }
            }
        }
    }
}
