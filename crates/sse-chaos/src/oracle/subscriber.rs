//! The claims of a client.

use sse_core::{Target, Topic, UserId};

/// The events that a client should receive, in addition to those for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriber {
    /// User of the client.
    pub user: Option<UserId>,
    /// Topics of the client.
    pub topics: Vec<Topic>,
    /// Set if the client left before the end. Such a client has no claim to events after the last
    /// position that it was served.
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
