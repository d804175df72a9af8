//! Durations in configuration files: `"30s"`, `"1m 30s"`, or a number of milliseconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a duration: \"30s\", \"500ms\", or a number of milliseconds"
)]
enum DurationForm {
    Milliseconds(u64),
    Text(String),
}

fn parse<E: Error>(form: DurationForm) -> Result<Duration, E> {
    match form {
        DurationForm::Milliseconds(number) => Ok(Duration::from_millis(number)),
        DurationForm::Text(text) => humantime::parse_duration(&text).map_err(E::custom),
    }
}

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    parse(DurationForm::deserialize(deserializer)?)
}

pub(crate) mod option {
    use super::{Deserialize, Deserializer, Duration, DurationForm, Serializer, parse};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<DurationForm>::deserialize(deserializer)?
            .map(parse)
            .transpose()
    }
}
