//! One stream, on whichever node it is.

use sse_core::{Caller, ClientId, Connection, RenewError, Topic};

use crate::{
    cluster::Cluster,
    messages::{Answer, Question, Renewal},
    node_id::NodeId,
};

/// What was found out about one stream, on whichever node it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found<T> {
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
    pub async fn connection(&self, client: ClientId) -> Found<Connection> {
        self.find(Question::Connection(client), |answer| match answer {
            Answer::Connection(connection) => connection.as_deref().cloned(),
            _ => None,
        })
        .await
    }

    /// Joins a live stream to topics, on whichever node it is; gives how many it was not in and is in now. See
    /// [`Manager::join`](sse_core::Manager::join).
    ///
    /// *Cancel safety.* A dropped future may have joined.
    pub async fn join(&self, client: ClientId, topics: &[Topic]) -> Found<usize> {
        self.find(Question::Join { client, topics: topics.to_vec() }, topics_in).await
    }

    /// Takes a live stream out of topics, on whichever node it is; gives of how many it was in. See [`Manager::leave`](sse_core::Manager::leave).
    ///
    /// *Cancel safety.* A dropped future may have left.
    pub async fn leave(&self, client: ClientId, topics: &[Topic]) -> Found<usize> {
        self.find(Question::Leave { client, topics: topics.to_vec() }, topics_in).await
    }

    /// Lets a stream live as long as this caller's authentication does, on whichever node it is. See [`Manager::renew`](sse_core::Manager::renew).
    ///
    /// *Cancel safety.* A dropped future may have renewed.
    pub async fn renew(&self, client: ClientId, caller: &Caller) -> Found<Result<(), RenewError>> {
        let (user, expires_at, login) = (caller.user.clone(), caller.expires_at, caller.login);
        self.find(Question::Renew { client, user, expires_at, login }, |answer| match answer {
            Answer::Renewed(Renewal::Done) => Some(Ok(())),
            Answer::Renewed(Renewal::OtherUser) => Some(Err(RenewError::OtherUser)),
            Answer::Renewed(Renewal::Expired) => Some(Err(RenewError::Expired)),
            _ => None,
        })
        .await
    }

    /// Asks this node, then all others until one has the stream.
    async fn find<T>(&self, question: Question, read: impl Fn(&Answer) -> Option<T>) -> Found<T> {
        if let Some(value) = read(&self.shared.answer(question.clone()).await) {
            return Found {
                value: Some(value),
                node: Some(self.node()),
                unanswered: Vec::new(),
                complete: true,
            };
        }
        let answers = self.shared.ask_all(question, |answer| read(answer).is_some()).await;
        let found = answers.given.into_iter().find_map(|(node, answer)| Some((node, read(&answer)?)));
        match found {
            Some((node, value)) => {
                Found { value: Some(value), node: Some(node), unanswered: Vec::new(), complete: true }
            }
            None => {
                Found { value: None, node: None, unanswered: answers.unanswered, complete: answers.complete }
            }
        }
    }
}

fn topics_in(answer: &Answer) -> Option<usize> {
    match answer {
        Answer::Topics(Some(count)) => Some(*count as usize),
        _ => None,
    }
}
