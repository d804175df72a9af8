//! Conversion of values into events.

use std::borrow::Cow;

use serde::Serialize;

use crate::event::{Event, EventError, event_type::EventType};

/// A value that can be published: an [`Event`], or a reference to an app's own type that is a
/// [`Payload`].
///
/// ```
/// use sse_core::{Event, IntoEvent, event::EventError};
///
/// struct Progress(u8);
///
/// impl IntoEvent for Progress {
///     fn into_event(self) -> Result<Event, EventError> {
///         Ok(Event::text(format!("{} %", self.0)))
///     }
/// }
///
/// assert_eq!(Progress(50).into_event()?.encode(), "data: 50 %\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoEvent {
    /// Converts the value into an event.
    ///
    /// # Errors
    /// [`EventError`] if the data does not serialize.
    fn into_event(self) -> Result<Event, EventError>;
}

/// A type of the app that is sent as JSON under its own event type.
///
/// ```
/// use sse_core::{EventType, IntoEvent, event::Payload};
///
/// #[derive(serde::Serialize)]
/// struct OrderShipped { order: u32 }
///
/// impl Payload for OrderShipped {
///     const EVENT: EventType = EventType::from_static("order_shipped");
/// }
///
/// let event = (&OrderShipped { order: 7 }).into_event()?;
/// assert_eq!(event.encode(), "event: order_shipped\ndata: {\"order\":7}\n\n");
/// # Ok::<(), sse_core::event::EventError>(())
/// ```
pub trait Payload: Serialize {
    /// Event type of every value.
    const EVENT: EventType;

    /// Returns the key by which newer values replace older ones under
    /// [`Overflow::KeepLatest`](crate::config::Overflow::KeepLatest). The default is no key.
    fn collapse_key(&self) -> Option<Cow<'_, str>> {
        None
    }
}

impl IntoEvent for Event {
    fn into_event(self) -> Result<Event, EventError> {
        Ok(self)
    }
}

impl<T: Payload> IntoEvent for &T {
    fn into_event(self) -> Result<Event, EventError> {
        let event = Event::json(self)?.with_event_type(T::EVENT);
        Ok(match self.collapse_key() {
            Some(key) => event.with_collapse_key(key),
            None => event,
        })
    }
}
