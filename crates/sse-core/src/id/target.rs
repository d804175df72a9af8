//! Targets of publishes.

use serde::{Deserialize, Serialize};

use crate::id::{
    client_id::ClientId,
    names::{Topic, UserId},
};

/// The recipients of a publish. As JSON: `"all"`, `{"user":"42"}`, `{"client":"…"}`,
/// `{"topic":"news"}`.
///
/// ```
/// use sse_core::{Handshake, Manager, Target, Topic};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().topic("news"))?;
///
/// let target = Target::from(Topic::new("news")?);
/// assert_eq!(manager.count(&target), 1);
/// assert_eq!(serde_json::to_string(&target)?, r#"{"topic":"news"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every stream.
    All,
    /// All streams of a user.
    User(UserId),
    /// One stream.
    Client(ClientId),
    /// All streams that joined a topic.
    Topic(Topic),
}

impl From<UserId> for Target {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<ClientId> for Target {
    fn from(client: ClientId) -> Self {
        Self::Client(client)
    }
}

impl From<Topic> for Target {
    fn from(topic: Topic) -> Self {
        Self::Topic(topic)
    }
}
