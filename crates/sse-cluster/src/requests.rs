//! Requests to other nodes.

use std::{collections::BTreeSet, error::Error};

use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::{
    cluster_state::ClusterState,
    messages::{ClusterMessage, NodeRequest, NodeResponse},
    node_id::NodeId,
    pending_requests::Responses,
};

impl ClusterState {
    /// Asks all other nodes, until all have replied, one reply is enough, or the timeout has
    /// passed.
    pub(crate) async fn ask_all(
        &self,
        request: NodeRequest,
        enough: impl Fn(&NodeResponse) -> bool,
    ) -> Responses {
        if !self.has_others() {
            return Responses {
                complete: true,
                ..Responses::default()
            };
        }
        let (others, knows_nodes) = {
            let state = self.membership.lock();
            (
                state.others().collect::<BTreeSet<_>>(),
                state.knows_nodes(self.config.term),
            )
        };
        let mut responses = self.ask(None, others, request, enough).await;
        responses.complete &= knows_nodes;
        responses
    }

    /// Asks one other node.
    pub(crate) async fn ask_one(&self, node: NodeId, request: NodeRequest) -> Option<NodeResponse> {
        let mut responses = self
            .ask(Some(node), BTreeSet::from([node]), request, |_| false)
            .await;
        responses.given.remove(&node)
    }

    async fn ask(
        &self,
        to: Option<NodeId>,
        mut open: BTreeSet<NodeId>,
        request: NodeRequest,
        enough: impl Fn(&NodeResponse) -> bool,
    ) -> Responses {
        let mut waiting = self.pending_requests.ask(open.len());
        let deadline = Instant::now() + self.config.timeout;
        let request = ClusterMessage::Request {
            number: waiting.number,
            to,
            request,
        };
        let sent = timeout_at(deadline, self.say(request)).await;
        if let Ok(Err(error)) = &sent {
            debug!(
                error = error as &dyn Error,
                "failed to send a request to other nodes"
            );
        }
        let mut responses = Responses::default();
        let is_sent = matches!(sent, Ok(Ok(())));
        while is_sent && !open.is_empty() {
            let Ok(Some((from, response))) = timeout_at(deadline, waiting.responses.recv()).await
            else {
                break;
            };
            open.remove(&from);
            let is_enough = enough(&response);
            responses.given.insert(from, response);
            if is_enough {
                return Responses {
                    complete: true,
                    ..responses
                };
            }
        }
        responses.complete = is_sent && open.is_empty();
        responses.unanswered = open.into_iter().collect();
        responses
    }
}
