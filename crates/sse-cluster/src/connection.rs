//! One stream, on whichever node it is.

use sse_core::{Caller, ClientId, Connection, RenewError, Topic};

use crate::{
    cluster::Cluster,
    messages::{Renewal, Request, Response},
    node_id::NodeId,
};

/// What was found out about one stream, on whichever node it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located<T> {
    /// What was found; `None` when the stream is on none of the nodes that answered.
    pub value: Option<T>,
    /// The node that the stream is on.
    pub node: Option<NodeId>,
    /// Nodes that did not answer in time. Empty when the stream was found.
    pub unanswered: Vec<NodeId>,
    /// Whether it was found, or is not there for certain: every node that there is has answered.
    pub complete: bool,
}

impl Cluster {
    /// A live stream, on whichever node it is. Exact, of the moment of that node's answer.
    pub async fn connection(&self, client: ClientId) -> Located<Connection> {
        self.find(Request::Connection(client), |response| match response {
            Response::Connection(connection) => connection.as_deref().cloned(),
            _ => None,
        })
        .await
    }

    /// Joins a live stream to topics, on whichever node it is; gives how many it was not in and is
    /// in now. See [`Manager::join`](sse_core::Manager::join).
    ///
    /// *Cancel safety.* A dropped future may have joined.
    pub async fn join(&self, client: ClientId, topics: &[Topic]) -> Located<usize> {
        self.find(
            Request::Join {
                client,
                topics: topics.to_vec(),
            },
            topics_in,
        )
        .await
    }

    /// Takes a live stream out of topics, on whichever node it is; gives of how many it was in. See
    /// [`Manager::leave`](sse_core::Manager::leave).
    ///
    /// *Cancel safety.* A dropped future may have left.
    pub async fn leave(&self, client: ClientId, topics: &[Topic]) -> Located<usize> {
        self.find(
            Request::Leave {
                client,
                topics: topics.to_vec(),
            },
            topics_in,
        )
        .await
    }

    /// Lets a stream live as long as this caller's authentication does, on whichever node it is.
    /// See [`Manager::renew`](sse_core::Manager::renew).
    ///
    /// *Cancel safety.* A dropped future may have renewed.
    pub async fn renew(
        &self,
        client: ClientId,
        caller: &Caller,
    ) -> Located<Result<(), RenewError>> {
        let (user, expires_at, login) = (caller.user.clone(), caller.expires_at, caller.login);
        self.find(
            Request::Renew {
                client,
                user,
                expires_at,
                login,
            },
            |response| match response {
                Response::Renewed(Renewal::Done) => Some(Ok(())),
                Response::Renewed(Renewal::OtherUser) => Some(Err(RenewError::OtherUser)),
                Response::Renewed(Renewal::Expired) => Some(Err(RenewError::Expired)),
                _ => None,
            },
        )
        .await
    }

    /// Asks this node, then all others until one has the stream.
    async fn find<T>(&self, request: Request, read: impl Fn(&Response) -> Option<T>) -> Located<T> {
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

fn topics_in(response: &Response) -> Option<usize> {
    match response {
        Response::Topics(Some(count)) => Some(*count as usize),
        _ => None,
    }
}
