//! Rights of a caller, derived from its claims.

use serde_json::Value;
use sse_core::{Caller, Target, Topic, access::Access};

use crate::topic_pattern::{PatternError, TopicPattern, claim};

/// Rights of a caller, derived from its claims. The same rules apply to live streams, to replay and
/// to management.
///
/// By default, every user can listen to the events sent to that user, and can send to itself. Every
/// caller, with or without a user, receives the events sent to all. Topics, sending to other
/// targets and management are closed. Patterns (see [`TopicPattern`]) and claims open them:
///
/// ```
/// use sse_access::ClaimsAccess;
/// use sse_core::Manager;
///
/// let access = ClaimsAccess::new()
///     .join("news")? // every user
///     .join("orders/{sub}/*")? // its own orders
///     .join_anonymously("status/*")? // everybody
///     .publish("chat/{teams}")? // to the rooms of its teams
///     .admin("role", "admin") // everything, by a claim of its token
///     .backend("backend", true); // everything, for a caller without a user
/// let manager = Manager::builder().access(access).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClaimsAccess {
    join: Vec<TopicPattern>,
    join_anonymously: Vec<TopicPattern>,
    publish: Vec<TopicPattern>,
    admins: Vec<(String, Value)>,
    backends: Vec<(String, Value)>,
}

impl ClaimsAccess {
    /// Creates rules that give users access to their own events alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows users to listen to these topics.
    ///
    /// # Errors
    /// Returns [`PatternError`] if the pattern is invalid.
    pub fn join(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.join.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Allows every caller to listen to these topics, including callers without a user.
    ///
    /// # Errors
    /// Returns [`PatternError`] if the pattern is invalid.
    pub fn join_anonymously(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.join_anonymously.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Allows users to publish to these topics.
    ///
    /// # Errors
    /// Returns [`PatternError`] if the pattern is invalid.
    pub fn publish(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.publish.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Allows everything to callers that have this claim with this value, or with a list that
    /// contains this value. A name such as `org.role` leads to a member, as in [`TopicPattern`].
    #[must_use]
    pub fn admin(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.admins.push((name.into(), value.into()));
        self
    }

    /// Allows everything to a caller that is *no user* and has this claim, as in
    /// [`admin`](Self::admin): a backend, recognised by a key. The token of a user cannot grant
    /// this right.
    #[must_use]
    pub fn backend(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.backends.push((name.into(), value.into()));
        self
    }

    fn is_admin(&self, caller: &Caller) -> bool {
        let has = |(name, value): &(String, Value)| match claim(&caller.claims, name) {
            Some(Value::Array(values)) => values.contains(value),
            Some(claim) => claim == value,
            None => false,
        };
        self.admins.iter().any(has) || caller.user.is_none() && self.backends.iter().any(has)
    }
}

impl Access for ClaimsAccess {
    fn may_join(&self, caller: &Caller, topic: &Topic) -> bool {
        let meant = |pattern: &TopicPattern| pattern.matches(topic.as_str(), &caller.claims);
        self.join_anonymously.iter().any(meant)
            || caller.user.is_some() && self.join.iter().any(meant)
            || self.is_admin(caller)
    }

    fn may_publish(&self, caller: &Caller, target: &Target) -> bool {
        let meant =
            |pattern: &TopicPattern, topic: &Topic| pattern.matches(topic.as_str(), &caller.claims);
        let allowed = match (target, &caller.user) {
            (Target::User(user), Some(own)) => user == own,
            (Target::Topic(topic), Some(_)) => {
                self.publish.iter().any(|pattern| meant(pattern, topic))
            }
            _ => false,
        };
        allowed || self.is_admin(caller)
    }

    fn may_publish_at_all(&self, caller: &Caller) -> bool {
        caller.user.is_some() || self.is_admin(caller)
    }

    fn may_manage(&self, caller: &Caller) -> bool {
        self.is_admin(caller)
    }
}
