//! Ends streams on all nodes.

use std::time::Duration;

use sse_core::{DisconnectOptions, Target, access::Banned};

use crate::{
    cluster::Cluster,
    messages::{NodeRequest, NodeResponse},
    node_id::NodeId,
};

/// The result of a disconnect on all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Number of streams that were ended on the nodes that replied.
    pub streams: usize,
    /// Nodes that did not reply in time. They can have ended streams all the same.
    pub unanswered: Vec<NodeId>,
    /// Set if every existing node has replied; then the number is exact.
    pub complete: bool,
}

impl Cluster {
    /// Ends the streams of a target on all nodes, each with a `disconnected` event, as
    /// [`Manager::disconnect`](sse_core::Manager::disconnect).
    ///
    /// A banned user or login is rejected on all nodes. Nodes that replied reject at once; nodes
    /// that did not reply or that join later reject as soon as they receive a report of another
    /// node. A client is banned by the login of its stream, so all nodes are asked for the stream
    /// first. If the stream is on a node that does not reply, no login is banned.
    ///
    /// *Cancel safety.* If the future is dropped, some streams can stay connected, on any node.
    pub async fn disconnect(
        &self,
        target: impl Into<Target>,
        how: DisconnectOptions,
    ) -> Disconnected {
        let target = target.into();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ban = match how.ban_for().filter(|_| self.has_others()) {
            Some(duration) => self.to_ban(&target).await.map(|who| (who, duration)),
            None => None,
        };
        let request = NodeRequest::Disconnect {
            target: target.clone(),
            reason: how.reason().map(str::to_owned),
            ban: ban
                .clone()
                .map(|(who, duration)| (who, milliseconds(duration))),
        };
        if let Some((who, duration)) = ban {
            // The ban applies here even if the stream is on another node.
            self.manager().ban(who.clone(), duration);
            self.shared.banned(who, duration);
        }
        let (own, responses) = tokio::join!(
            self.manager().disconnect(target, how),
            self.shared.ask_all(request, |_| false)
        );
        let others = responses
            .given
            .values()
            .filter_map(|response| match response {
                NodeResponse::Count(count) => usize::try_from(*count).ok(),
                _ => None,
            });
        Disconnected {
            streams: own + others.sum::<usize>(),
            unanswered: responses.unanswered,
            complete: responses.complete,
        }
    }

    /// Returns the user or login to ban for a target.
    async fn to_ban(&self, target: &Target) -> Option<Banned> {
        match target {
            Target::User(user) => Some(user.clone().into()),
            Target::Client(client) => self
                .connection(*client)
                .await
                .value?
                .login_id
                .map(Into::into),
            _ => None,
        }
    }
}
