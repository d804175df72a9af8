//! The claims of a client.

use sse_core::{Target, Topic, UserId};

/// What a client should get, besides what goes to all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriber {
    /// Whose it is.
    pub user: Option<UserId>,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// Whether it left before the end, so that it has no claim to what came after what it was last
    /// served.
    pub left_early: bool,
}

impl Subscriber {
    pub(crate) fn is_meant_by(&self, target: &Target) -> bool {
        match target {
            Target::All => true,
            Target::User(user) => self.user.as_ref() == Some(user),
            Target::Topic(topic) => self.topics.contains(topic),
            Target::Client(_) => false,
        }
    }
}
