//! Everything about a manager that is data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    id::names::MAX_NAME_BYTES,
    log::{key_limits::KeyLimits, retention::Retention},
    serde_duration,
    stream::overflow::Overflow,
};

/// Everything about a manager that is data; reads and writes as TOML, JSON and the like.
///
/// Durations are texts (`"30s"`, `"500ms"`) or numbers of milliseconds. What is left out has its
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// What a quiet stream gets: `event` (default), `comment`, `off`.
    pub heartbeat: HeartbeatKind,
    /// After how long without anything queued a stream gets a heartbeat: between 1.0 and 1.25 times
    /// this. Default 30 s, 100 ms to 24 h.
    #[serde(with = "serde_duration")]
    pub heartbeat_interval: Duration,
    /// A stream whose transport takes nothing of what waits is ended within this time. Default 60
    /// s, 100 ms to 24 h.
    #[serde(with = "serde_duration")]
    pub connection_timeout: Duration,
    /// A stream ends after this time at the latest, at a random 80 to 100 % of it. Default: never.
    /// 1 s to 20 days.
    #[serde(with = "serde_duration::option")]
    pub max_age: Option<Duration>,
    /// What `retry:` tells clients: a random 75 to 125 % of it. Default 3 s, at most 1 h.
    #[serde(with = "serde_duration")]
    pub retry: Duration,
    /// Streams at once. Default 1,000.
    pub max_connections: usize,
    /// Streams at once of one user. Default: no limit.
    pub max_connections_per_user: Option<usize>,
    /// Streams at once from one address. Default: no limit.
    pub max_connections_per_address: Option<usize>,
    /// Streams at once from one address of callers that are no users; a newcomer beyond it is
    /// refused. Default: no limit.
    pub max_anonymous_connections_per_address: Option<usize>,
    /// What happens to a newcomer beyond `max_connections`. Default: `refuse`.
    pub when_full: LimitPolicy,
    /// What happens to a newcomer beyond `max_connections_per_user`. Default: `refuse`.
    pub when_user_full: LimitPolicy,
    /// What happens to a newcomer beyond `max_connections_per_address`. Default: `refuse`.
    pub when_address_full: LimitPolicy,
    /// Form of a rejection that passes (429, 503). Default: `auto`.
    pub refusal: RejectionStyle,
    /// Events that may wait for one stream. Default 1,024.
    pub queue_frames: usize,
    /// Bytes that may wait for one stream; also the largest event. They are shared among streams.
    /// Default 2 MiB.
    pub queue_bytes: usize,
    /// What happens when a queue is full. Default: `disconnect`.
    pub overflow: Overflow,
    /// How much of the event log is held in memory. Default: no log, real-time only. With a
    /// [backplane](crate::ManagerBuilder::backplane) there always is one, and the default is
    /// [`Retention`]'s.
    pub log: Option<Retention>,
    /// Bytes of events that may wait at once for a backplane that is away (see
    /// [`Event::patience`](crate::Event::patience)). Default 16 MiB.
    pub spool_bytes: usize,
    /// How many idempotency keys may count at a time.
    pub keys: KeyLimits,
    /// How long names may be, and how many topics a stream may have.
    pub limits: Limits,
}

/// How long names may be, and how many topics a stream may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of an event type. Default 128.
    pub event_type: usize,
    /// Bytes of a topic. Default 256.
    pub topic: usize,
    /// Bytes of a user id. Default 256.
    pub user: usize,
    /// Topics of one stream. Default 64.
    pub topics: usize,
}

/// What a quiet stream gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatKind {
    /// An event that scripts can see.
    #[default]
    Event,
    /// A comment.
    Comment,
    /// Nothing.
    Off,
}

/// What happens to a newcomer beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPolicy {
    /// It is refused.
    #[default]
    Refuse,
    /// The oldest stream under the same limit ends.
    ReplaceOldest,
}

/// Form of a rejection whose cause is [temporary](crate::ConnectErrorKind::is_temporary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionStyle {
    /// `soft` for a client that accepts nothing but an event stream, as an `EventSource` does;
    /// `status` for every other.
    #[default]
    Auto,
    /// 429 or 503 with `Retry-After`; a browser's `EventSource` never returns after it.
    Status,
    /// 200, a `retry:` field, a comment with the cause, and the end; an `EventSource` returns.
    Soft,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: HeartbeatKind::default(),
            heartbeat_interval: Duration::from_secs(30),
            connection_timeout: Duration::from_secs(60),
            max_age: None,
            retry: Duration::from_secs(3),
            max_connections: 1000,
            max_connections_per_user: None,
            max_connections_per_address: None,
            max_anonymous_connections_per_address: None,
            when_full: LimitPolicy::default(),
            when_user_full: LimitPolicy::default(),
            when_address_full: LimitPolicy::default(),
            refusal: RejectionStyle::default(),
            queue_frames: 1024,
            queue_bytes: 2 << 20,
            overflow: Overflow::default(),
            log: None,
            spool_bytes: 16 << 20,
            keys: KeyLimits::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_type: 128,
            topic: 256,
            user: 256,
            topics: 64,
        }
    }
}

/// Why a manager cannot be built: every field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BuildError {
    /// What is wrong, in the order of the fields.
    pub problems: Vec<ConfigProblem>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} {expected}")]
pub struct ConfigProblem {
    /// The field's name in [`Config`].
    pub field: &'static str,
    /// What it should be.
    pub expected: String,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Config {
    /// Looks at every field.
    ///
    /// # Errors
    /// [`BuildError`] with all that are wrong.
    pub fn check(&self) -> Result<(), BuildError> {
        let mut checks = Checks::default();
        let tenth = Duration::from_millis(100);
        checks.duration("heartbeat_interval", self.heartbeat_interval, tenth, DAY);
        checks.duration("connection_timeout", self.connection_timeout, tenth, DAY);
        if let Some(age) = self.max_age {
            checks.duration("max_age", age, Duration::from_secs(1), 20 * DAY);
        }
        checks.duration("retry", self.retry, Duration::ZERO, DAY / 24);
        checks.count("max_connections", self.max_connections, 1, MOST_STREAMS);
        for (field, limit) in [
            ("max_connections_per_user", self.max_connections_per_user),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
            ),
            (
                "max_anonymous_connections_per_address",
                self.max_anonymous_connections_per_address,
            ),
        ] {
            checks.count(field, limit.unwrap_or(1), 1, MOST_STREAMS);
        }
        checks.count("queue_frames", self.queue_frames, 1, 1 << 20);
        checks.count("queue_bytes", self.queue_bytes, 1024, 1 << 30);
        checks.count("spool_bytes", self.spool_bytes, 0, 1 << 30);
        if let Some(log) = self.log {
            checks.count("log.entries", log.entries, 1, 100_000_000);
            checks.count(
                "log.bytes",
                usize::try_from(log.bytes).unwrap_or(usize::MAX),
                1024,
                1 << 40,
            );
            checks.duration("log.age", log.age, Duration::from_secs(1), 3650 * DAY);
        }
        for (field, keys) in [
            ("keys.per_user", self.keys.per_user),
            ("keys.of_users", self.keys.of_users),
            ("keys.of_backends", self.keys.of_backends),
        ] {
            checks.count(field, keys, 1, MOST_KEYS);
        }
        checks.count("limits.event_type", self.limits.event_type, 1, 4096);
        checks.count("limits.topic", self.limits.topic, 1, MAX_NAME_BYTES);
        checks.count("limits.user", self.limits.user, 1, MAX_NAME_BYTES);
        checks.count("limits.topics", self.limits.topics, 0, 4096);
        checks.finish()
    }
}

/// As many streams as a table of `u32` keys holds, with room for those that come while others go.
const MOST_STREAMS: usize = 1 << 30;

/// More than any server should have to remember: gigabytes.
const MOST_KEYS: usize = 10_000_000;

#[derive(Default)]
struct Checks(Vec<ConfigProblem>);

impl Checks {
    fn duration(&mut self, field: &'static str, value: Duration, least: Duration, most: Duration) {
        if value < least || value > most {
            let text = humantime::format_duration;
            let expected = format!(
                "must be {} to {}, not {}",
                text(least),
                text(most),
                text(value)
            );
            self.0.push(ConfigProblem { field, expected });
        }
    }

    fn count(&mut self, field: &'static str, value: usize, least: usize, most: usize) {
        if value < least || value > most {
            self.0.push(ConfigProblem {
                field,
                expected: format!("must be {least} to {most}, not {value}"),
            });
        }
    }

    fn finish(self) -> Result<(), BuildError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BuildError { problems: self.0 })
        }
    }
}
