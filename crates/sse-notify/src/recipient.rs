//! Whom something is for.

use std::fmt;

use sse_core::{ClientId, IntoEvent, Publish, PublishError, Receipt, Target};

use crate::{
    kind::Kind,
    notification::Notification,
    send::{SendNotification, SendSystemEvent},
};

/// Whom something is for; made by [`Notifier`](crate::Notifier).
#[must_use = "nothing is sent yet"]
pub struct Recipient<'a> {
    publisher: &'a dyn Publish,
    target: Result<Target, PublishError>,
    except: Vec<ClientId>,
}

impl<'a> Recipient<'a> {
    pub(crate) fn new(publisher: &'a dyn Publish, target: Result<Target, PublishError>) -> Self {
        Self { publisher, target, except: Vec::new() }
    }

    /// Leaves a stream out, for example the one that caused it.
    pub fn except(mut self, client: ClientId) -> Self {
        self.except.push(client);
        self
    }

    /// Tells of a success. Sent when awaited.
    pub fn success(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Success, message))
    }

    /// Tells something to know. Sent when awaited.
    pub fn info(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Info, message))
    }

    /// Warns. Sent when awaited.
    pub fn warning(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Warning, message))
    }

    /// Tells of an error. Sent when awaited.
    pub fn error(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Error, message))
    }

    /// Sends a notification, when awaited.
    pub fn notification(self, notification: Notification) -> SendNotification<'a> {
        SendNotification::new(self, notification)
    }

    /// Sends a system event, when awaited: something for programs, `user_profile_updated`.
    pub fn system(self, event: impl Into<String>) -> SendSystemEvent<'a> {
        SendSystemEvent::new(self, event.into())
    }

    /// Sends an event of the app's own.
    ///
    /// # Errors
    /// [`PublishError`]; nothing was sent then.
    pub async fn event(self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        let event = event.into_event()?;
        self.publisher.publish(self.target?, &self.except, event).await
    }
}

impl fmt::Debug for Recipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("target", &self.target).finish_non_exhaustive()
    }
}
