//! Settings of the streams.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sse_core::backplane::{Epoch, KEY_WINDOW};

use crate::{
    config::{NatsConfig, Storage},
    names::Names,
};

/// A stream and its intended settings.
#[derive(Debug)]
pub(crate) struct StreamConfig {
    pub(crate) stream: String,
    /// The settings without the subject.
    config: Value,
    subject: String,
    subject_form: SubjectForm,
}

/// The form of a stream's only subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubjectForm {
    /// The subject as it is.
    Subject,
    /// The subject followed by an epoch.
    SubjectAndEpoch,
}

/// Settings that can be changed in an existing stream. An operator must decide on any other
/// difference.
const CHANGEABLE: &[&str] = &[
    "max_msgs",
    "max_bytes",
    "max_age",
    "duplicate_window",
    "num_replicas",
    "description",
];

/// Settings that must have the intended value.
const FIXED: &[&str] = &["retention", "storage", "discard", "max_msgs_per_subject"];

/// Settings whose presence alone makes a stream foreign.
const FOREIGN: &[&str] = &[
    "mirror",
    "sources",
    "sealed",
    "no_ack",
    "subject_transform",
    "deny_delete",
    "deny_purge",
];

/// The difference between an existing stream and the intended settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConfigDiff {
    /// No difference.
    None,
    /// A difference that can be removed, with the settings to send.
    Changeable(Value),
    /// A difference that cannot be removed.
    Fixed(String),
}

impl StreamConfig {
    pub(crate) fn of_log(config: &NatsConfig, names: &Names) -> Self {
        let retention = config.retention;
        let mut settings = common(config, &names.log_stream);
        settings.extend([
            ("description".to_owned(), json!("event log of sse-nats")),
            ("max_msgs".to_owned(), json!(retention.entries)),
            ("max_bytes".to_owned(), json!(retention.bytes)),
            ("max_age".to_owned(), nanoseconds(retention.age)),
            ("max_msgs_per_subject".to_owned(), json!(-1)),
            // The server rejects a window that is longer than the maximum age of entries.
            (
                "duplicate_window".to_owned(),
                nanoseconds(retention.age.min(KEY_WINDOW)),
            ),
        ]);
        Self {
            stream: names.log_stream.clone(),
            config: settings.into(),
            subject: names.log.clone(),
            subject_form: SubjectForm::SubjectAndEpoch,
        }
    }

    pub(crate) fn of_state(config: &NatsConfig, names: &Names) -> Self {
        let mut settings = common(config, &names.state_stream);
        settings.extend([
            ("description".to_owned(), json!("leases of sse-nats")),
            ("max_msgs_per_subject".to_owned(), json!(1)),
        ]);
        Self {
            stream: names.state_stream.clone(),
            config: settings.into(),
            subject: names.states.clone(),
            subject_form: SubjectForm::Subject,
        }
    }

    /// Returns the settings of a new stream.
    pub(crate) fn new_stream(&self) -> Value {
        let new = match self.subject_form {
            SubjectForm::Subject => None,
            SubjectForm::SubjectAndEpoch => Some(Epoch::random()),
        };
        self.with_subject(&self.config, new.as_ref())
    }

    /// Returns the settings that turn an existing stream into the log of an epoch.
    pub(crate) fn of_epoch(&self, existing: &Value, epoch: &Epoch) -> Value {
        self.with_subject(existing, Some(epoch))
    }

    fn with_subject(&self, config: &Value, epoch: Option<&Epoch>) -> Value {
        let mut config = config.clone();
        config["subjects"] = json!([format!(
            "{}{}",
            self.subject,
            epoch.map_or("", Epoch::as_str)
        )]);
        config
    }

    /// Returns the epoch in a stream's subject.
    pub(crate) fn epoch(&self, existing: &Value) -> Option<Epoch> {
        let [subject] = &existing["subjects"].as_array()?[..] else {
            return None;
        };
        Epoch::new(subject.as_str()?.strip_prefix(&self.subject)?).ok()
    }

    /// Compares an existing stream with the intended settings.
    pub(crate) fn difference(&self, existing: &Value) -> ConfigDiff {
        let fixed = self.fixed_differences(existing);
        if !fixed.is_empty() {
            return ConfigDiff::Fixed(format!(
                "the stream {} already exists with other settings: {}",
                self.stream,
                fixed.join(", ")
            ));
        }
        let differs = |name: &&&str| {
            self.config
                .get(**name)
                .is_some_and(|intended| existing.get(**name) != Some(intended))
        };
        let changes: Vec<_> = CHANGEABLE.iter().filter(differs).collect();
        if changes.is_empty() {
            return ConfigDiff::None;
        }
        let mut changed = existing.clone();
        for name in changes {
            changed[*name] = self.config[*name].clone();
        }
        ConfigDiff::Changeable(changed)
    }

    fn fixed_differences(&self, existing: &Value) -> Vec<String> {
        let of =
            |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        let subject_fits = match self.subject_form {
            SubjectForm::Subject => existing["subjects"] == json!([self.subject]),
            SubjectForm::SubjectAndEpoch => self.epoch(existing).is_some(),
        };
        let epoch = if self.subject_form == SubjectForm::Subject {
            ""
        } else {
            "<epoch>"
        };
        let subjects = (!subject_fits).then(|| {
            format!(
                "subjects is {}, not [\"{}{epoch}\"]",
                of(existing.get("subjects")),
                self.subject
            )
        });
        let differing = FIXED
            .iter()
            .filter(|name| existing.get(**name) != self.config.get(**name))
            .map(|name| {
                format!(
                    "{name} is {}, not {}",
                    of(existing.get(*name)),
                    of(self.config.get(*name))
                )
            });
        let is_set = |value: &&Value| !matches!(value, Value::Null | Value::Bool(false));
        let foreign = FOREIGN.iter().filter_map(|name| {
            existing
                .get(*name)
                .filter(is_set)
                .map(|value| format!("{name} is {value}, not set"))
        });
        subjects
            .into_iter()
            .chain(differing)
            .chain(foreign)
            .collect()
    }
}

fn common(config: &NatsConfig, stream: &str) -> Map<String, Value> {
    let storage = match config.storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    };
    [
        ("name", json!(stream)),
        ("retention", json!("limits")),
        ("discard", json!("old")),
        ("storage", json!(storage)),
        ("num_replicas", json!(config.replicas)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn nanoseconds(duration: Duration) -> Value {
    json!(
        u64::try_from(duration.as_nanos())
            .unwrap_or(i64::MAX as u64)
            .min(i64::MAX as u64)
    )
}

#[cfg(test)]
mod tests {
    use sse_core::Retention;

    use super::*;

    fn settings() -> StreamConfig {
        let config = NatsConfig::default().retention(Retention::default().entries(10));
        StreamConfig::of_log(&config, &Names::under("sse").unwrap())
    }

    #[test]
    fn only_limits_are_changed() {
        let settings = settings();
        let mut existing = settings.new_stream();
        existing["max_consumers"] = json!(-1);
        assert_eq!(settings.difference(&existing), ConfigDiff::None);
        existing["max_msgs"] = json!(11);
        existing["description"] = json!("mine");
        let ConfigDiff::Changeable(changed) = settings.difference(&existing) else {
            panic!()
        };
        assert_eq!(
            (&changed["max_msgs"], &changed["max_consumers"]),
            (&json!(10), &json!(-1))
        );
    }

    #[test]
    fn fixed_differences_are_named() {
        let settings = settings();
        let mut existing = settings.new_stream();
        existing["storage"] = json!("memory");
        existing["sealed"] = json!(true);
        existing["deny_delete"] = json!(false);
        existing["subjects"] = json!(["sse.log.>"]);
        assert_eq!(
            settings.difference(&existing),
            ConfigDiff::Fixed(
                "the stream sse_log already exists with other settings: subjects is [\"sse.log.>\"], not \
                 [\"sse.log.<epoch>\"], storage is \"memory\", not \"file\", \
                 sealed is true, not set"
                    .to_owned()
            )
        );
    }

    #[test]
    fn epoch_is_end_of_subject() {
        let settings = settings();
        let new = settings.new_stream();
        let epoch = settings.epoch(&new).unwrap();
        assert_ne!(settings.epoch(&settings.new_stream()), Some(epoch));
        let epoch = Epoch::new("e2").unwrap();
        let changed = settings.of_epoch(&new, &epoch);
        assert_eq!(
            (&changed["subjects"], settings.epoch(&changed)),
            (&json!(["sse.log.e2"]), Some(epoch))
        );
        for subjects in [
            json!([]),
            json!(["sse.log"]),
            json!(["sse.log.a.b"]),
            json!(["sse.log.a", "b"]),
            json!(null),
        ] {
            let existing = json!({ "subjects": subjects });
            assert_eq!(settings.epoch(&existing), None, "{existing}");
        }
    }

    #[test]
    fn key_window_is_at_most_retention() {
        let config =
            NatsConfig::default().retention(Retention::default().age(Duration::from_secs(1)));
        let settings = StreamConfig::of_log(&config, &Names::under("sse").unwrap());
        assert_eq!(
            settings.config["duplicate_window"],
            json!(1_000_000_000_u64)
        );
    }
}
