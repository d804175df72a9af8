//! Ending streams on all nodes.

use std::time::Duration;

use sse_core::{Banned, DisconnectOptions, Target};

use crate::{
    cluster::Cluster,
    messages::{Request, Response},
    node_id::NodeId,
};

/// What a disconnect has done on all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Streams that were ended, on the nodes that answered.
    pub streams: usize,
    /// Nodes that did not answer in time. They may have ended streams all the same, or not.
    pub unanswered: Vec<NodeId>,
    /// Whether every node that there is has answered; then the number is exact.
    pub complete: bool,
}

impl Cluster {
    /// Ends the streams of a target on all nodes, each with a `disconnected` event, as
    /// [`Manager::disconnect`](sse_core::Manager::disconnect).
    ///
    /// A user or a login that is to stay away is refused on all nodes: at once on those that
    /// answered, and on those that did not or that join later as soon as they hear from another
    /// node. For a client every node is asked first for its stream, whose login that is; of one
    /// that is on a node which does not answer, nobody is kept away.
    ///
    /// *Cancel safety.* After a dropped future some streams may be left as they are, on any node.
    pub async fn disconnect(
        &self,
        target: impl Into<Target>,
        how: DisconnectOptions,
    ) -> Disconnected {
        let target = target.into();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let away = match how.ban_duration().filter(|_| self.has_others()) {
            Some(duration) => self.absentee(&target).await.map(|who| (who, duration)),
            None => None,
        };
        let request = Request::Disconnect {
            target: target.clone(),
            reason: how.reason_ref().map(str::to_owned),
            away: away
                .clone()
                .map(|(who, duration)| (who, milliseconds(duration))),
        };
        if let Some((who, duration)) = away {
            // Also of a stream that is on another node.
            self.manager().ban(who.clone(), duration);
            self.shared.sent_away(who, duration);
        }
        let (own, responses) = tokio::join!(
            self.manager().disconnect(target, how),
            self.shared.ask_all(request, |_| false)
        );
        let others = responses
            .given
            .values()
            .filter_map(|response| match response {
                Response::Count(count) => usize::try_from(*count).ok(),
                _ => None,
            });
        Disconnected {
            streams: own + others.sum::<usize>(),
            unanswered: responses.unanswered,
            complete: responses.complete,
        }
    }

    /// Who is to be refused so that a target stays away.
    async fn absentee(&self, target: &Target) -> Option<Banned> {
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
