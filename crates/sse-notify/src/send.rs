//! Builders that send when they are awaited.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sse_core::{
    PublishError, Receipt,
    backplane::unix_ms,
    event::{EventError, SystemEvent},
};

use crate::{json_object::JsonObject, kind::Kind, notification::Notification, notify_to::NotifyTo};

/// The future of a notification or system event in flight.
///
/// For order, slow clients and cancel safety see [`Manager::publish`](sse_core::Manager::publish),
/// for errors [`NotifyTo::event`].
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Receipt, PublishError>> + Send + 'a>>;

impl<'a> NotifyTo<'a> {
    /// Notifies of a success. Sent when awaited.
    pub fn success(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Success, message))
    }

    /// Notifies of information. Sent when awaited.
    pub fn info(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Info, message))
    }

    /// Notifies of a warning. Sent when awaited.
    pub fn warning(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Warning, message))
    }

    /// Notifies of an error. Sent when awaited.
    pub fn error(self, message: impl Into<String>) -> SendNotification<'a> {
        self.notification(Notification::new(Kind::Error, message))
    }

    /// Sends a notification, when awaited.
    pub fn notification(self, notification: Notification) -> SendNotification<'a> {
        SendNotification::new(self, notification)
    }

    /// Sends a system event, when awaited. System events are for programs, for instance
    /// `user_profile_updated`.
    pub fn system(self, event: impl Into<String>) -> SendSystemEvent<'a> {
        SendSystemEvent::new(self, event.into())
    }
}

/// A notification that is sent when it is awaited.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SendNotification<'a> {
    to: NotifyTo<'a>,
    notification: Result<Notification, EventError>,
}

impl<'a> SendNotification<'a> {
    pub(crate) fn new(to: NotifyTo<'a>, notification: Notification) -> Self {
        Self {
            to,
            notification: Ok(notification),
        }
    }

    /// Sets the heading.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with(|notification| Ok(notification.title(title)))
    }

    /// Sets the additional data, which must serialize to an object. Sending reports other values.
    pub fn data(self, data: impl Serialize) -> Self {
        self.with(|notification| Ok(notification.data(JsonObject::new(&data)?)))
    }

    /// Sets the time of the notification, in Unix milliseconds. The default is the time of sending.
    pub fn timestamp(self, unix_ms: u64) -> Self {
        self.with(|notification| Ok(notification.timestamp(unix_ms)))
    }

    fn with(
        mut self,
        change: impl FnOnce(Notification) -> Result<Notification, EventError>,
    ) -> Self {
        self.notification = self.notification.and_then(change);
        self
    }
}

impl<'a> IntoFuture for SendNotification<'a> {
    type Output = Result<Receipt, PublishError>;
    type IntoFuture = Sending<'a>;

    fn into_future(self) -> Sending<'a> {
        Box::pin(async move { self.to.event(self.notification?).await })
    }
}

/// A system event that is sent when it is awaited.
///
/// The names in [`RESERVED_SYSTEM_EVENTS`](sse_core::event::RESERVED_SYSTEM_EVENTS) belong to the
/// manager: sending reports them as [`PublishError::Reserved`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SendSystemEvent<'a> {
    to: NotifyTo<'a>,
    name: String,
    data: Result<Option<Box<RawValue>>, EventError>,
    timestamp: Option<u64>,
}

impl<'a> SendSystemEvent<'a> {
    pub(crate) fn new(to: NotifyTo<'a>, name: String) -> Self {
        Self {
            to,
            name,
            data: Ok(None),
            timestamp: None,
        }
    }

    /// Sets the details, which must serialize. Sending reports other values.
    pub fn data(mut self, data: impl Serialize) -> Self {
        self.data = self
            .data
            .and_then(|_| to_raw_value(&data).map(Some).map_err(EventError::Json));
        self
    }

    /// Sets the time of the event, in Unix milliseconds. The default is the time of sending.
    pub fn timestamp(mut self, unix_ms: u64) -> Self {
        self.timestamp = Some(unix_ms);
        self
    }
}

impl<'a> IntoFuture for SendSystemEvent<'a> {
    type Output = Result<Receipt, PublishError>;
    type IntoFuture = Sending<'a>;

    fn into_future(self) -> Sending<'a> {
        Box::pin(async move {
            let timestamp = self.timestamp.unwrap_or_else(unix_ms);
            let data = self.data?;
            let event = SystemEvent {
                event: &self.name,
                data: data.as_deref(),
                timestamp,
            };
            self.to.event(event.to_event()?).await
        })
    }
}
