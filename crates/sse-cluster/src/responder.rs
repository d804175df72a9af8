//! Replies to other nodes.

use std::{error::Error, sync::Arc, time::Duration};

use sse_core::{
    Caller, DisconnectOptions, RenewError,
    connections::ConnectionQuery,
    throttle::{INTERVAL, Throttle},
};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::{debug, warn};

use crate::{
    cluster_state::ClusterState,
    messages::{self, ClusterMessage, IncomingRequest, NodeRequest, NodeResponse, Renewal},
};

/// Maximum number of requests that wait.
pub(crate) const WAITING: usize = 256;

/// Maximum number of requests that are processed concurrently.
const AT_ONCE: usize = 16;

/// Maximum number of streams in a reply, and the size in bytes beyond which a reply has fewer: the
/// reply fits into a signal of every backplane.
const STREAMS: u32 = 256;
const BYTES: usize = 256 << 10;

/// Limits the log lines on large descriptions: a client with long topics can cause a line at every
/// request.
static LARGE: Throttle = Throttle::new(INTERVAL);

/// Replies to requests of other nodes.
pub(crate) async fn give(shared: Arc<ClusterState>, mut asked: mpsc::Receiver<IncomingRequest>) {
    let mut running = JoinSet::new();
    while let Some(asked) = asked.recv().await {
        while running.len() >= AT_ONCE {
            running.join_next().await;
        }
        while running.try_join_next().is_some() {}
        running.spawn(answer(Arc::clone(&shared), asked));
    }
}

async fn answer(
    shared: Arc<ClusterState>,
    IncomingRequest {
        from,
        number,
        request,
    }: IncomingRequest,
) {
    let response = shared.answer(request).await;
    if let Err(error) = shared
        .say(ClusterMessage::Reply {
            to: from,
            number,
            response,
        })
        .await
    {
        debug!(node = %from, error = &error as &dyn Error, "failed to reply to another node");
    }
}

impl ClusterState {
    /// Returns the reply of this node.
    pub(crate) async fn answer(&self, request: NodeRequest) -> NodeResponse {
        let manager = &self.manager;
        let count = |topics: usize| Some(u32::try_from(topics).unwrap_or(u32::MAX));
        match request {
            NodeRequest::Connections {
                user,
                topic,
                cursor,
                limit,
            } => {
                let mut query = ConnectionQuery::first(0).after(cursor);
                (query.user, query.topic) = (user, topic);
                self.page(query, limit.clamp(1, STREAMS))
            }
            NodeRequest::Connection(client) => {
                NodeResponse::Connection(manager.connection(client).map(Box::new))
            }
            NodeRequest::Join { client, topics } => {
                NodeResponse::Topics(manager.connection(client).and_then(|_| {
                    count(
                        topics
                            .iter()
                            .filter(|topic| manager.join(client, topic).is_ok())
                            .count(),
                    )
                }))
            }
            NodeRequest::Leave { client, topics } => {
                NodeResponse::Topics(manager.connection(client).and_then(|_| {
                    count(
                        topics
                            .iter()
                            .filter(|topic| manager.leave(client, topic).is_ok())
                            .count(),
                    )
                }))
            }
            NodeRequest::Renew {
                client,
                user,
                expires_at,
                login,
            } => {
                let mut caller = Caller::anonymous();
                (caller.user, caller.expires_at, caller.login) = (user, expires_at, login);
                NodeResponse::Renewed(match manager.renew(client, &caller) {
                    Ok(()) => Renewal::Done,
                    Err(RenewError::OtherUser) => Renewal::OtherUser,
                    Err(RenewError::Expired) => Renewal::Expired,
                    Err(_) => Renewal::NotLive,
                })
            }
            NodeRequest::Disconnect {
                target,
                reason,
                ban,
            } => {
                let mut how = DisconnectOptions::new();
                if let Some(reason) = reason {
                    how = how.with_reason(reason);
                }
                if let Some((who, milliseconds)) = ban {
                    let duration = Duration::from_millis(milliseconds);
                    manager.ban(who, duration);
                    how = how.with_ban_for(duration);
                }
                NodeResponse::Count(manager.disconnect(target, how).await as u64)
            }
            NodeRequest::Count(target) => NodeResponse::Count(manager.count(&target) as u64),
        }
    }

    fn page(&self, mut query: ConnectionQuery, mut limit: u32) -> NodeResponse {
        loop {
            query.limit = limit as usize;
            let page = self.manager.connections(&query);
            let response = NodeResponse::Connections {
                items: page.items,
                next: page.next_cursor,
            };
            let size = messages::write(&response).len();
            if size <= BYTES || limit == 1 {
                if size > BYTES
                    && let Some(left_out) = LARGE.admit("description")
                {
                    warn!(
                        size,
                        left_out,
                        "exceeded the size of a reply with one stream: a backplane can reject it"
                    );
                }
                return response;
            }
            limit /= 2;
        }
    }
}
