//! The manager of the three adapters, and the events published to it.

use anyhow::Context;
use sse_core::{Event, EventType, Manager, Receipt};

use crate::servers::serving::Serving;

/// Maximum number of streams, more than a load can open.
const MOST_STREAMS: usize = 1 << 20;

/// Creates a manager with defaults, except for the limits that a load would reach.
pub(crate) fn manager(serving: &Serving) -> anyhow::Result<Manager> {
    let bytes = sse_core::Config::default().queue_bytes;
    let builder = Manager::builder()
        .max_connections(MOST_STREAMS)
        .queue(serving.capacity, bytes);
    builder.build().context("making a manager")
}

/// Publishes to all streams.
pub(crate) async fn publish(
    manager: &Manager,
    data: &str,
) -> Result<Receipt, sse_core::PublishError> {
    manager
        .all()
        .publish(Event::text(data).with_event_type(EventType::from_static("tick")))
        .await
}
