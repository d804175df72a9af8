//! The sender of notifications.

use std::{fmt, sync::Arc};

use sse_core::{ClientId, Publish, PublishError, Target, Topic, UserId, id::FieldError};

use crate::notify_to::NotifyTo;

/// Sends notifications and system events. Cloning is cheap.
///
/// The notifier is based on [`Publish`], so an app's tests can replace the manager with a double.
///
/// ```
/// use sse_core::{Handshake, Manager};
/// use sse_notify::Notifier;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42"))?;
///
/// let notify = Notifier::new(manager);
/// let receipt = notify.user("42").success("Your export is ready").title("Reports").await?;
/// assert_eq!(receipt.matched, 1);
/// notify.user("42").system("user_profile_updated").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Notifier {
    publisher: Arc<dyn Publish>,
}

impl Notifier {
    /// Creates a notifier that sends through a manager, or through any other publisher.
    pub fn new(publisher: impl Publish) -> Self {
        Self {
            publisher: Arc::new(publisher),
        }
    }

    /// Selects all streams of a user. Sending reports an invalid name.
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(&self, user: N) -> NotifyTo<'_> {
        self.named(
            "user",
            user.try_into().map(Target::User).map_err(Into::into),
        )
    }

    /// Selects all streams that joined a topic. Sending reports an invalid name.
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(&self, topic: N) -> NotifyTo<'_> {
        self.named(
            "topic",
            topic.try_into().map(Target::Topic).map_err(Into::into),
        )
    }

    /// Selects one stream.
    pub fn client(&self, client: ClientId) -> NotifyTo<'_> {
        self.to(Target::Client(client))
    }

    /// Selects every stream.
    pub fn all(&self) -> NotifyTo<'_> {
        self.to(Target::All)
    }

    /// Selects a target.
    pub fn to(&self, target: impl Into<Target>) -> NotifyTo<'_> {
        NotifyTo::new(&*self.publisher, Ok(target.into()))
    }

    fn named(&self, field: &'static str, target: Result<Target, FieldError>) -> NotifyTo<'_> {
        let target = target.map_err(|source| PublishError::Target { field, source });
        NotifyTo::new(&*self.publisher, target)
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}
