//! How many streams a publish would reach.

use sse_core::Target;

use crate::{
    cluster::Cluster,
    messages::{Request, Response},
};

/// How many streams there are in a target, on all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// Live streams.
    pub streams: usize,
    /// Nodes that they are on.
    pub nodes: usize,
    /// Whether every node that there is was asked and has answered. Otherwise it is what this node
    /// knows, which is eventual, or lacks nodes that did not answer.
    pub exact: bool,
}

impl Cluster {
    /// How many streams there are in a target, on all nodes: what a [`Receipt`](sse_core::Receipt),
    /// which counts this node's, does not tell.
    ///
    /// Of everybody and of users this node knows itself, as in [`Cluster::stats`]: cheap and
    /// eventual. Of a topic or a client it asks all nodes, each of which answers exactly, of the
    /// moment of its answer.
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
                let enough =
                    |response: &Response| is_client && matches!(response, Response::Count(1..));
                let responses = self
                    .shared
                    .ask_all(Request::Count(target.clone()), enough)
                    .await;
                let counts = responses
                    .given
                    .values()
                    .filter_map(|response| match response {
                        Response::Count(count) => usize::try_from(*count).ok(),
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
