//! `publish`.

use serde::Deserialize;
use serde_json::value::RawValue;
use sse_core::{ClientId, Event, Publish, PublishError, Target};

use super::Done;
use crate::{check, context::Context, error::Error};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "PublishInput", optional_fields = nullable))]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(type = "Target"))]
    target: Target,
    #[cfg_attr(test, ts(optional = nullable, type = "Array<string>"))]
    except: Option<Vec<ClientId>>,
    event: String,
    /// As the caller wrote it: numbers keep their digits and members their order.
    #[cfg_attr(test, ts(type = "unknown"))]
    data: Box<RawValue>,
    /// Not to be logged; nothing is.
    #[serde(rename = "ephemeral")]
    _ephemeral: Option<bool>,
    key: Option<String>,
}

pub(crate) async fn publish(context: Context, input: Input) -> Result<Done, Error> {
    check::target(&context, &input.target)?;
    context.require_publish(&input.target)?;
    let except = input.except.unwrap_or_default();
    if except.len() > context.limits().except {
        let most = context.limits().except;
        return Err(Error::field(
            "except",
            format_args!("has {} client ids, more than {most}", except.len()),
        ));
    }
    if input.key.is_some() {
        return Err(Error::field("key", "publishing once per key needs an event log, and there is none"));
    }
    let event_type = check::event_type(&context, input.event)?;
    let event = Event::json(&input.data).map_err(PublishError::from)?.event_type(event_type);
    let receipt = Publish::publish(context.manager(), input.target, &except, event).await.map_err(refused)?;
    Ok(receipt.into())
}

/// The event's own name has been looked at, so what is reserved is the name of a system event.
fn refused(error: PublishError) -> Error {
    match error {
        PublishError::Reserved { .. } => Error::field("data", error),
        error => error.into(),
    }
}
