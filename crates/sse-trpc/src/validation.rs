//! Checks of inputs that types do not express: lengths and ranges.

use sse_core::{EventType, Target, Topic, UserId, event::RESERVED_SYSTEM_EVENTS, id::FieldError};

use crate::{context::Context, error::Error};

/// The last millisecond of a JavaScript `Date`.
const LAST_TIMESTAMP: u64 = 8_640_000_000_000_000;

pub(crate) fn user(context: &Context, field: &str, user: &UserId) -> Result<(), Error> {
    length(field, user.as_str(), context.manager().config().limits.user)
}

pub(crate) fn topic(context: &Context, field: &str, topic: &Topic) -> Result<(), Error> {
    length(
        field,
        topic.as_str(),
        context.manager().config().limits.topic,
    )
}

pub(crate) fn topics(context: &Context, topics: &[Topic]) -> Result<(), Error> {
    let most = context.manager().config().limits.topics;
    if topics.len() > most {
        return Err(Error::field(
            "topics",
            format_args!("has {} topics, more than {most}", topics.len()),
        ));
    }
    topics
        .iter()
        .enumerate()
        .try_for_each(|(index, name)| topic(context, &format!("topics[{index}]"), name))
}

pub(crate) fn target(context: &Context, target: &Target) -> Result<(), Error> {
    match target {
        Target::User(name) => user(context, "target.user", name),
        Target::Topic(name) => topic(context, "target.topic", name),
        Target::All | Target::Client(_) => Ok(()),
    }
}

pub(crate) fn event_type(context: &Context, name: String) -> Result<EventType, Error> {
    length("event", &name, context.manager().config().limits.event_type)?;
    let event_type = EventType::new(name).map_err(|problem| Error::field("event", problem))?;
    if event_type.is_reserved() {
        return Err(reserved(event_type.as_str()));
    }
    Ok(event_type)
}

/// Names of system events have the maximum length of event types.
pub(crate) fn system_event(context: &Context, name: &str) -> Result<(), Error> {
    not_empty("event", name)?;
    length("event", name, context.manager().config().limits.event_type)?;
    if RESERVED_SYSTEM_EVENTS.contains(&name) {
        return Err(reserved(name));
    }
    Ok(())
}

pub(crate) fn not_empty(field: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::field(field, FieldError::Empty));
    }
    Ok(())
}

pub(crate) fn length(field: &str, text: &str, limit: usize) -> Result<(), Error> {
    FieldError::check_length(text, limit).map_err(|problem| Error::field(field, problem))
}

pub(crate) fn timestamp(timestamp: Option<u64>) -> Result<u64, Error> {
    let timestamp = timestamp.unwrap_or_else(sse_core::backplane::unix_ms);
    in_range("timestamp", timestamp, 0, LAST_TIMESTAMP)?;
    Ok(timestamp)
}

pub(crate) fn in_range<N>(field: &str, number: N, least: N, most: N) -> Result<(), Error>
where
    N: Copy + PartialOrd + std::fmt::Display,
{
    if number < least || number > most {
        return Err(Error::field(
            field,
            format_args!("must be {least} to {most}, not {number}"),
        ));
    }
    Ok(())
}

fn reserved(name: &str) -> Error {
    Error::field("event", format_args!("\"{name}\" is reserved"))
}
