//! The formats of values on the command line, in variables and in files.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use sse_core::config::Overflow;

/// Parses a duration in the format of `[streams]`: `30s`, `1m 30s`, or a number of milliseconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        Err(_) => in_words(text),
    }
}

/// Parses a number of seconds. Durations such as `500ms` and `1m` are valid too.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => in_words(text),
    }
}

pub(crate) fn in_words(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Parses an address and a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "must be an IP address and a port, as in 127.0.0.1:8080 or [::1]:8080".to_owned()
    })
}

/// Parses the name of a choice, as it is written in the settings file.
pub(crate) fn choice<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::Value::from(text)
        .try_into()
        .map_err(|error| error.to_string().trim_end().to_owned())
}

/// Parses an overflow policy: `disconnect`, `drop_oldest`, `keep_latest=key`,
/// `keep_latest=event_type`.
pub(crate) fn overflow(text: &str) -> Result<Overflow, String> {
    let value = match text.split_once('=') {
        Some((policy, by)) => toml::Table::from_iter([(policy.to_owned(), by.into())]).into(),
        None => toml::Value::from(text),
    };
    value.try_into().map_err(|_| {
        "must be disconnect, drop_oldest, keep_latest=key or keep_latest=event_type".to_owned()
    })
}

/// Overwrites a value if another was given.
pub(crate) fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// A duration that can be a number of seconds in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a number of seconds, or a duration such as \"10s\""
        )]
        enum NumberOrText {
            Number(u64),
            Text(String),
        }
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(seconds) => Ok(Self(Duration::from_secs(seconds))),
            NumberOrText::Text(text) => seconds(&text).map(Self).map_err(D::Error::custom),
        }
    }
}

/// A duration that can be a number of milliseconds in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Milliseconds(pub(crate) Duration);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a duration such as \"30s\", or a number of milliseconds"
        )]
        enum NumberOrText {
            Number(u64),
            Text(String),
        }
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(milliseconds) => Ok(Self(Duration::from_millis(milliseconds))),
            NumberOrText::Text(text) => duration(&text).map(Self).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use sse_core::config::{CollapseBy, HeartbeatKind};

    use super::*;

    #[test]
    fn bare_number_is_milliseconds_or_seconds() {
        assert_eq!(duration("1500"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("15"), Ok(Duration::from_secs(15)));
        for read in [duration, seconds] {
            assert_eq!(read("1m 30s"), Ok(Duration::from_secs(90)));
            assert!(read("soon").is_err() && read("-1").is_err() && read("").is_err());
        }
    }

    #[test]
    fn choices_are_named_as_in_files() {
        assert_eq!(choice("comment"), Ok(HeartbeatKind::Comment));
        let error = choice::<HeartbeatKind>("loud").unwrap_err();
        assert!(
            error.contains("loud") && error.contains("`event`"),
            "{error}"
        );
    }

    #[test]
    fn overflow_policies_can_name_a_field() {
        assert_eq!(overflow("drop_oldest"), Ok(Overflow::DropOldest));
        assert_eq!(
            overflow("keep_latest=event_type"),
            Ok(Overflow::KeepLatest(CollapseBy::EventType))
        );
        for text in [
            "keep_latest",
            "keep_latest=",
            "disconnect=key",
            "oldest",
            "",
        ] {
            assert!(overflow(text).is_err(), "{text}");
        }
    }
}
