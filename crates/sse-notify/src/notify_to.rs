//! Recipients of notifications.

use std::fmt;

use sse_core::{ClientId, IntoEvent, Publish, PublishError, Receipt, Target};

/// The target of a notification or of another event, created by [`Notifier`](crate::Notifier).
///
/// ```
/// use sse_core::{Handshake, Manager};
/// use sse_notify::Notifier;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let author = manager.connect(Handshake::new().topic("chat"))?;
/// let reader = manager.connect(Handshake::new().topic("chat"))?;
///
/// let notify = Notifier::new(manager);
/// let receipt = notify.topic("chat").except(author.client_id()).info("A new message").await?;
/// assert_eq!(receipt.matched, 1);
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent before `.await`"]
pub struct NotifyTo<'a> {
    publisher: &'a dyn Publish,
    target: Result<Target, PublishError>,
    except: Vec<ClientId>,
}

impl<'a> NotifyTo<'a> {
    pub(crate) fn new(publisher: &'a dyn Publish, target: Result<Target, PublishError>) -> Self {
        Self {
            publisher,
            target,
            except: Vec::new(),
        }
    }

    /// Excludes a stream, for example the stream that caused the notification.
    pub fn except(mut self, client: ClientId) -> Self {
        self.except.push(client);
        self
    }

    /// Sends an event of the app.
    ///
    /// # Errors
    /// Returns a [`PublishError`]. After [`PublishError::Unavailable`] and
    /// [`PublishError::Unconfirmed`], the event can have been published all the same. After any
    /// other error, nothing was sent.
    pub async fn event(self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        let event = event.into_event()?;
        self.publisher
            .publish(self.target?, &self.except, event)
            .await
    }
}

impl fmt::Debug for NotifyTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyTo")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
