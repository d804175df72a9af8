//! Changes of a live stream's topics.

use thiserror::Error;

use crate::{
    id::{client_id::ClientId, names::Topic},
    manager::{Manager, inner::Inner, session::Session},
    registry::groups::GroupKind,
};

/// The error of [`Manager::join`]. The stream keeps its topics.
///
/// ```
/// use sse_core::{Handshake, JoinError, Manager, Topic};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().topic("news"))?;
/// let (client, news) = (session.client_id(), Topic::new("news")?);
/// assert_eq!(manager.join(client, &news), Err(JoinError::AlreadyJoined));
/// drop(session);
/// assert_eq!(manager.join(client, &news), Err(JoinError::NotConnected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The client has no live stream on this node.
    #[error("client is not connected")]
    NotConnected,
    /// The stream is in the topic already.
    #[error("stream is already in the topic")]
    AlreadyJoined,
    /// The stream has [`Limits::topics`](crate::config::Limits::topics) topics.
    #[error("stream has the maximum number of topics, {limit}")]
    TooManyTopics {
        /// Maximum number of topics of a stream.
        limit: usize,
    },
    /// The name of the topic is longer than [`Limits::topic`](crate::config::Limits::topic).
    #[error("topic name has {length} bytes, the maximum is {limit}")]
    NameTooLong {
        /// Length of the name in bytes.
        length: usize,
        /// Maximum length in bytes.
        limit: usize,
    },
    /// The manager has the maximum number of groups (topics, users and addresses that have
    /// streams), about two billion.
    #[error("manager has the maximum number of groups")]
    Full,
}

/// The error of [`Manager::leave`]. The stream keeps its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The client has no live stream on this node.
    #[error("client is not connected")]
    NotConnected,
    /// The stream is not in the topic.
    #[error("stream is not in the topic")]
    NotJoined,
}

impl Manager {
    /// Joins a live stream to a topic. The stream receives the topic's events that are published
    /// from now on.
    ///
    /// # Errors
    /// [`JoinError`] if the stream is not live or does not join.
    pub fn join(&self, client: ClientId, topic: &Topic) -> Result<(), JoinError> {
        self.inner.join(client, topic)
    }

    /// Removes a live stream from a topic. The stream still receives the topic's events that were
    /// published before.
    ///
    /// # Errors
    /// [`LeaveError`] if the stream is not live or not in the topic.
    pub fn leave(&self, client: ClientId, topic: &Topic) -> Result<(), LeaveError> {
        self.inner.leave(client, topic)
    }
}

impl Session {
    /// Joins a topic, like [`Manager::join`].
    ///
    /// # Errors
    /// [`JoinError`] if the stream is ending or does not join.
    pub fn join(&self, topic: &Topic) -> Result<(), JoinError> {
        self.manager.join(self.client_id(), topic)
    }

    /// Leaves a topic, like [`Manager::leave`].
    ///
    /// # Errors
    /// [`LeaveError`] if the stream is ending or not in the topic.
    pub fn leave(&self, topic: &Topic) -> Result<(), LeaveError> {
        self.manager.leave(self.client_id(), topic)
    }
}

impl Inner {
    fn join(&self, client: ClientId, topic: &Topic) -> Result<(), JoinError> {
        let (limits, name) = (self.config.limits, topic.as_str());
        if name.len() > limits.topic {
            return Err(JoinError::NameTooLong {
                length: name.len(),
                limit: limits.topic,
            });
        }
        self.with_sequencer(|sequencer, tx| {
            let registry = &sequencer.registry;
            let place = registry.place(client).ok_or(JoinError::NotConnected)?;
            if registry.membership(place, GroupKind::Topic, name).is_some() {
                return Err(JoinError::AlreadyJoined);
            }
            if registry.topic_count(place) >= limits.topics {
                return Err(JoinError::TooManyTopics {
                    limit: limits.topics,
                });
            }
            let joined = sequencer.join(place, topic, tx);
            joined.then_some(()).ok_or(JoinError::Full)
        })
    }

    fn leave(&self, client: ClientId, topic: &Topic) -> Result<(), LeaveError> {
        self.with_sequencer(|sequencer, tx| {
            let place = sequencer.registry.place(client);
            let place = place.ok_or(LeaveError::NotConnected)?;
            let left = sequencer.leave(place, topic, tx);
            left.then_some(()).ok_or(LeaveError::NotJoined)
        })
    }
}
