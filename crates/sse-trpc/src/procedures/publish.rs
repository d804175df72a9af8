//! `publish`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use sse_core::{ClientId, Event, Publish, PublishError, Target};

use super::Done;
use crate::{context::Context, error::Error, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "PublishInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(type = "Target"))]
    target: Target,
    #[cfg_attr(test, ts(optional = nullable, type = "Array<string>"))]
    except: Option<Vec<ClientId>>,
    event: String,
    /// Data of the event, passed on as text: numbers keep their digits and members their order.
    #[cfg_attr(test, ts(type = "unknown"))]
    data: Box<RawValue>,
    /// Set for an event that is kept out of the event log and reaches only the streams that are
    /// connected now.
    ephemeral: Option<bool>,
    /// Key of the publish; needs an event log. Of several publishes of one caller with one key
    /// within two minutes, the first counts.
    key: Option<String>,
    /// Time during which the publish is retried while the event log is unavailable, in
    /// milliseconds, up to 30,000; without it the call fails at once.
    retry_for_ms: Option<u64>,
}

/// Maximum of `retryForMs`. No caller should have to wait longer for an answer.
const MAX_RETRY_FOR_MS: u64 = 30_000;

pub(crate) async fn publish(context: Context, input: Input) -> Result<Done, Error> {
    validation::target(&context, &input.target)?;
    context.require_publish(&input.target)?;
    let except = input.except.unwrap_or_default();
    if except.len() > context.limits().except {
        let most = context.limits().except;
        return Err(Error::field(
            "except",
            format_args!("has {} client ids, more than {most}", except.len()),
        ));
    }
    let event_type = validation::event_type(&context, input.event)?;
    let mut event = Event::json(&input.data)
        .map_err(PublishError::from)?
        .with_event_type(event_type);
    if input.ephemeral == Some(true) {
        event = event.ephemeral();
    }
    if input.key.is_some() || input.retry_for_ms.is_some() {
        event = event.with_key_scope(context.key_scope());
    }
    if let Some(key) = input.key {
        event = event.with_idempotency_key(key);
    }
    if let Some(millis) = input.retry_for_ms {
        validation::in_range("retryForMs", millis, 0, MAX_RETRY_FOR_MS)?;
        event = event.with_retry_for(Duration::from_millis(millis));
    }
    let receipt = Publish::publish(context.manager(), input.target, &except, event)
        .await
        .map_err(refused)?;
    Ok(receipt.into())
}

/// The event's own name has been checked, so a reserved name is that of a system event.
fn refused(error: PublishError) -> Error {
    match error {
        PublishError::Reserved { .. } => Error::field("data", error),
        error => error.into(),
    }
}
