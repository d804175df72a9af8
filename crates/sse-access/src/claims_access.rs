//! What a caller may do, by its claims.

use serde_json::Value;
use sse_core::{Access, Caller, Target, Topic};

use crate::topic_pattern::{PatternError, TopicPattern, claim};

/// What a caller may do, by its claims: the same for live streams, for replay and for management.
///
/// To begin with, everybody who is a user listens to what is sent to that user, and may send to it;
/// topics, everybody else and management are closed. The rest is said in patterns (see
/// [`TopicPattern`]) and claims:
///
/// ```
/// use sse_access::ClaimsAccess;
/// use sse_core::Manager;
///
/// let access = ClaimsAccess::new()
///     .join("news")? // whoever is a user
///     .join("orders/{sub}/*")? // its own orders
///     .join_anonymously("status/*")? // everybody
///     .publish("chat/{teams}")? // to the rooms of its teams
///     .admin("role", "admin") // everything, by a claim of its token
///     .backend("backend", true); // everything, for a caller that is no user
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
    /// Nothing but one's own events.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Users may listen to these topics.
    ///
    /// # Errors
    /// [`PatternError`] when it is no pattern.
    pub fn join(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.join.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Everybody may listen to these topics, also callers that are no user.
    ///
    /// # Errors
    /// [`PatternError`] when it is no pattern.
    pub fn join_anonymously(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.join_anonymously.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Users may publish to these topics.
    ///
    /// # Errors
    /// [`PatternError`] when it is no pattern.
    pub fn publish(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.publish.push(TopicPattern::new(pattern)?);
        Ok(self)
    }

    /// Whoever has this claim with this value, or with a list that has it, may do everything.
    #[must_use]
    pub fn admin(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.admins.push((name.into(), value.into()));
        self
    }

    /// A caller that is *no user* and has this claim may do everything: a backend, recognised by a
    /// key. No user's token can say so.
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
