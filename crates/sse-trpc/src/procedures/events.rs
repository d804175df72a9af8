//! `events`.

use serde::Deserialize;
use sse_core::{Handshake, Topic};

use crate::{context::Context, error::Error, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "EventsInput", optional_fields = nullable))]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(optional = nullable, type = "Array<string>"))]
    topics: Option<Vec<Topic>>,
}

/// Subscribes to the caller's own events, those for everyone, and those of the requested topics.
pub(crate) async fn events(context: Context, input: Input) -> Result<Handshake, Error> {
    let topics = input.topics.unwrap_or_default();
    validation::topics(&context, &topics)?;
    Ok(topics
        .into_iter()
        .fold(context.handshake(), Handshake::requested_topic))
}
