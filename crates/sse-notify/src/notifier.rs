//! Where notifications are sent from.

use std::{fmt, sync::Arc};

use sse_core::{ClientId, FieldError, Publish, PublishError, Target, Topic, UserId};

use crate::recipient::Recipient;

/// Sends notifications and system events. A clone is cheap.
///
/// It stands on [`Publish`], so an app's tests can give it a double in place of a manager.
#[derive(Clone)]
pub struct Notifier {
    publisher: Arc<dyn Publish>,
}

impl Notifier {
    /// Sends through a manager, or anything else that publishes.
    pub fn new(publisher: impl Publish) -> Self {
        Self {
            publisher: Arc::new(publisher),
        }
    }

    /// To all streams of a user. A name that cannot be one is told when something is sent.
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(&self, user: N) -> Recipient<'_> {
        self.named(
            "user",
            user.try_into().map(Target::User).map_err(Into::into),
        )
    }

    /// To all streams that joined a topic. A name that cannot be one is told when something is
    /// sent.
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(&self, topic: N) -> Recipient<'_> {
        self.named(
            "topic",
            topic.try_into().map(Target::Topic).map_err(Into::into),
        )
    }

    /// To one stream.
    pub fn client(&self, client: ClientId) -> Recipient<'_> {
        self.to(Target::Client(client))
    }

    /// To every stream.
    pub fn everyone(&self) -> Recipient<'_> {
        self.to(Target::All)
    }

    /// To a target.
    pub fn to(&self, target: impl Into<Target>) -> Recipient<'_> {
        Recipient::new(&*self.publisher, Ok(target.into()))
    }

    fn named(&self, field: &'static str, target: Result<Target, FieldError>) -> Recipient<'_> {
        let target = target.map_err(|source| PublishError::Target { field, source });
        Recipient::new(&*self.publisher, target)
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}
