//! `sendSystemEvent`, `broadcastSystemEvent`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sse_core::{Target, UserId, backplane::unix_ms, event::SystemEvent};

use super::Done;
use crate::{context::Context, error::Error, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SendSystemEventInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Send {
    #[cfg_attr(test, ts(type = "string"))]
    user_id: UserId,
    event: String,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, ts(optional, type = "unknown"))]
    data: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "BroadcastSystemEventInput", optional_fields = nullable))]
#[serde(deny_unknown_fields)]
pub(crate) struct Broadcast {
    event: String,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, ts(optional, type = "unknown"))]
    data: Option<Box<RawValue>>,
}

/// Deserializes a member that is present: `null` is data, an absent member is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

pub(crate) async fn send(context: Context, input: Send) -> Result<Done, Error> {
    validation::user(&context, "userId", &input.user_id)?;
    publish(
        &context,
        Target::User(input.user_id),
        &input.event,
        input.data,
    )
    .await
}

pub(crate) async fn broadcast(context: Context, input: Broadcast) -> Result<Done, Error> {
    publish(&context, Target::All, &input.event, input.data).await
}

async fn publish(
    context: &Context,
    target: Target,
    event: &str,
    data: Option<Box<RawValue>>,
) -> Result<Done, Error> {
    context.require_publish(&target)?;
    validation::system_event(context, event)?;
    let event = SystemEvent {
        event,
        data: data.as_deref(),
        timestamp: unix_ms(),
    };
    let event = event.to_event().map_err(sse_core::PublishError::from)?;
    Ok(context.manager().publish(target, event).await?.into())
}
