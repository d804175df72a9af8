//! A stream on any node.

use sse_core::{Caller, ClientId, RenewError, Topic, connections::Connection};

use crate::{
    cluster::Cluster,
    messages::{NodeRequest, NodeResponse, Renewal},
    node_id::NodeId,
};

/// The result of an operation on a stream that can be on any node.
///
/// ```
/// use sse_cluster::Cluster;
/// use sse_core::{Handshake, Manager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let cluster = Cluster::alone(&manager);
/// let stream = manager.connect(Handshake::new().user("42"))?;
///
/// let found = cluster.connection(stream.client_id()).await;
/// assert_eq!(found.node, Some(cluster.node()));
/// assert!(found.complete);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located<T> {
    /// The result; `None` if the stream is on none of the nodes that replied.
    pub value: Option<T>,
    /// The node that the stream is on.
    pub node: Option<NodeId>,
    /// Nodes that did not reply in time. Empty if the stream was found.
    pub unanswered: Vec<NodeId>,
    /// Set if the stream was found, or certainly does not exist because every existing node has
    /// replied.
    pub complete: bool,
}

impl Cluster {
    /// Finds a live stream on any node. The result is exact at the moment of that node's reply.
    pub async fn connection(&self, client: ClientId) -> Located<Connection> {
        self.find(NodeRequest::Connection(client), |response| match response {
            NodeResponse::Connection(connection) => connection.as_deref().cloned(),
            _ => None,
        })
        .await
    }

    /// Joins a live stream on any node to topics. Returns the number of topics that the stream was
    /// added to. See [`Manager::join`](sse_core::Manager::join).
    ///
    /// *Cancel safety.* The stream can have joined the topics even if the future is dropped.
    pub async fn join(&self, client: ClientId, topics: &[Topic]) -> Located<usize> {
        self.find(
            NodeRequest::Join {
                client,
                topics: topics.to_vec(),
            },
            topics_in,
        )
        .await
    }

    /// Removes a live stream on any node from topics. Returns the number of topics that the stream
    /// was removed from. See [`Manager::leave`](sse_core::Manager::leave).
    ///
    /// *Cancel safety.* The stream can have left the topics even if the future is dropped.
    pub async fn leave(&self, client: ClientId, topics: &[Topic]) -> Located<usize> {
        self.find(
            NodeRequest::Leave {
                client,
                topics: topics.to_vec(),
            },
            topics_in,
        )
        .await
    }

    /// Extends the life of a stream on any node to that of the caller's authentication. See
    /// [`Manager::renew`](sse_core::Manager::renew).
    ///
    /// *Cancel safety.* The stream can have been renewed even if the future is dropped.
    pub async fn renew(
        &self,
        client: ClientId,
        caller: &Caller,
    ) -> Located<Result<(), RenewError>> {
        let (user, expires_at, login) = (caller.user.clone(), caller.expires_at, caller.login);
        self.find(
            NodeRequest::Renew {
                client,
                user,
                expires_at,
                login,
            },
            |response| match response {
                NodeResponse::Renewed(Renewal::Done) => Some(Ok(())),
                NodeResponse::Renewed(Renewal::OtherUser) => Some(Err(RenewError::OtherUser)),
                NodeResponse::Renewed(Renewal::Expired) => Some(Err(RenewError::Expired)),
                _ => None,
            },
        )
        .await
    }

    /// Asks this node, then all others until one of them has the stream.
    async fn find<T>(
        &self,
        request: NodeRequest,
        read: impl Fn(&NodeResponse) -> Option<T>,
    ) -> Located<T> {
        if let Some(value) = read(&self.shared.answer(request.clone()).await) {
            return Located {
                value: Some(value),
                node: Some(self.node()),
                unanswered: Vec::new(),
                complete: true,
            };
        }
        let responses = self
            .shared
            .ask_all(request, |response| read(response).is_some())
            .await;
        let found = responses
            .given
            .into_iter()
            .find_map(|(node, response)| Some((node, read(&response)?)));
        match found {
            Some((node, value)) => Located {
                value: Some(value),
                node: Some(node),
                unanswered: Vec::new(),
                complete: true,
            },
            None => Located {
                value: None,
                node: None,
                unanswered: responses.unanswered,
                complete: responses.complete,
            },
        }
    }
}

fn topics_in(response: &NodeResponse) -> Option<usize> {
    match response {
        NodeResponse::Topics(Some(count)) => Some(*count as usize),
        _ => None,
    }
}
