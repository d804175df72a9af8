//! The settings of a manager.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    id::names::MAX_NAME_BYTES,
    log::{key_limits::KeyLimits, retention::Retention},
    serde_duration,
    stream::overflow::Overflow,
};

/// The settings of a manager, readable and writable as TOML, JSON and the like.
///
/// Durations are texts (`"30s"`, `"500ms"`) or numbers of milliseconds. Missing fields have their
/// defaults.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Config, Manager};
///
/// let config: Config = toml::from_str(
///     r#"
///     heartbeat_interval = "15s"
///     max_connections = 50000
///     log = { age = "1h" }
///     "#,
/// )?;
/// assert_eq!(config.heartbeat_interval, Duration::from_secs(15));
///
/// let manager = Manager::builder().config(config).build()?;
/// assert_eq!(manager.config().max_connections, 50_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Heartbeat of an idle stream: `event` (default), `comment`, `off`.
    pub heartbeat: HeartbeatKind,
    /// Idle time after which a stream receives a heartbeat: between 1.0 and 1.25 times this value.
    /// Default 30 s, 100 ms to 24 h.
    #[serde(with = "serde_duration")]
    pub heartbeat_interval: Duration,
    /// Time within which a stream is ended whose transport takes none of the waiting events.
    /// Default 60 s, 100 ms to 24 h.
    #[serde(with = "serde_duration")]
    pub connection_timeout: Duration,
    /// Maximum age of a stream: the stream ends at a random 80 to 100 % of it. Default: never. 1 s
    /// to 20 days.
    #[serde(with = "serde_duration::option")]
    pub max_age: Option<Duration>,
    /// Reconnection delay for clients: `retry:` is a random 75 to 125 % of it. Default 3 s, at most
    /// 1 h.
    #[serde(with = "serde_duration")]
    pub retry: Duration,
    /// Maximum number of streams. Default 1,000; 1 to 2^30. With `when_full = "refuse"`, ending
    /// streams count until their transports release them.
    pub max_connections: usize,
    /// Maximum number of streams of one user. Default: no limit; 1 to 2^30.
    pub max_connections_per_user: Option<usize>,
    /// Maximum number of streams from one address, or from one [network](crate::id::network) in
    /// IPv6. Default: no limit; 1 to 2^30.
    pub max_connections_per_address: Option<usize>,
    /// Maximum number of anonymous streams from one address; a new stream beyond it is rejected.
    /// Default: no limit; 1 to 2^30.
    pub max_anonymous_connections_per_address: Option<usize>,
    /// Policy for a new stream beyond `max_connections`. Default: `refuse`. With `replace_oldest`,
    /// a new stream is still rejected while live and ending streams together are twice
    /// `max_connections`.
    pub when_full: LimitPolicy,
    /// Policy for a new stream beyond `max_connections_per_user`. Default: `refuse`.
    pub when_user_full: LimitPolicy,
    /// Policy for a new stream beyond `max_connections_per_address`. Default: `refuse`.
    pub when_address_full: LimitPolicy,
    /// Style of a temporary rejection (429, 503). Default: `auto`.
    pub refusal: RejectionStyle,
    /// Maximum number of events that wait for one stream. Default 1,024; 1 to 1,048,576.
    pub queue_frames: usize,
    /// Maximum number of bytes that wait for one stream; also the maximum size of an event. Streams
    /// share the bytes of an event. Default 2 MiB; 1 KiB to 1 GiB.
    pub queue_bytes: usize,
    /// Policy for a stream whose queue is full. Default: `disconnect`.
    pub overflow: Overflow,
    /// Amount of the event log that is held in memory. Default: no log, real-time only. With a
    /// [backplane](crate::ManagerBuilder::backplane) the manager always has a log, and the default
    /// is [`Retention`]'s.
    pub log: Option<Retention>,
    /// Maximum number of bytes of events that wait for an unavailable backplane (see
    /// [`Event::with_retry_for`](crate::Event::with_retry_for)). A publish beyond it does not wait.
    /// Default 16 MiB; at most 1 GiB.
    pub spool_bytes: usize,
    /// Limits of remembered idempotency keys, each 1 to 10,000,000.
    pub keys: KeyLimits,
    /// Maximum lengths of names, and maximum number of topics of a stream.
    pub limits: Limits,
}

/// Maximum lengths of names, and maximum number of topics of a stream.
///
/// ```
/// use sse_core::{Config, ConnectErrorKind, Handshake, Manager};
///
/// let mut config = Config::default();
/// config.limits.topics = 1;
/// let manager = Manager::builder().config(config).build()?;
///
/// let error = manager.connect(Handshake::new().topic("news").topic("sport")).unwrap_err();
/// assert_eq!(*error.cause(), ConnectErrorKind::TooManyTopics { count: 2, requested: 0, limit: 1 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum length of an event type in bytes. Default 128; 1 to 4,096.
    pub event_type: usize,
    /// Maximum length of a topic in bytes. Default 256; 1 to 1,024.
    pub topic: usize,
    /// Maximum length of a user id in bytes. Default 256; 1 to 1,024.
    pub user: usize,
    /// Maximum number of topics of one stream. Default 64; 0 to 4,096.
    pub topics: usize,
}

/// The kind of heartbeat that an idle stream receives.
///
/// ```
/// use sse_core::{Manager, config::HeartbeatKind};
///
/// let manager = Manager::builder().heartbeat(HeartbeatKind::Comment).build()?;
/// assert_eq!(manager.config().heartbeat, HeartbeatKind::Comment);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatKind {
    /// An event that scripts can see.
    #[default]
    Event,
    /// A comment.
    Comment,
    /// No heartbeat.
    Off,
}

/// Policy for a new stream beyond a limit.
///
/// ```
/// use sse_core::{DisconnectReason, Handshake, Manager, config::LimitPolicy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = LimitPolicy::ReplaceOldest;
/// let manager = Manager::builder().max_connections_per_user(1, policy).build()?;
///
/// let older = manager.connect(Handshake::new().user("42"))?;
/// let newer = manager.connect(Handshake::new().user("42"))?;
/// assert_eq!(older.closed().await, DisconnectReason::Replaced);
/// assert!(manager.connection(newer.client_id()).is_some());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPolicy {
    /// The new stream is rejected.
    #[default]
    Refuse,
    /// The oldest stream under the same limit ends.
    ReplaceOldest,
}

/// Style of a rejection whose cause is [temporary](crate::ConnectErrorKind::is_temporary).
///
/// ```
/// use sse_core::{Config, Handshake, Manager, config::RejectionStyle};
///
/// let mut config = Config::default();
/// config.max_connections = 1;
/// config.refusal = RejectionStyle::Soft;
/// let manager = Manager::builder().config(config).build()?;
///
/// let session = manager.connect(Handshake::new())?;
/// let error = manager.connect(Handshake::new()).unwrap_err();
/// assert_eq!(error.response().status, 200); // a stream with `retry:` that ends at once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionStyle {
    /// `soft` for a client that accepts only an event stream, like an `EventSource`; `status` for
    /// every other client.
    #[default]
    Auto,
    /// Status 429 or 503 with `Retry-After`. A browser's `EventSource` never reconnects after it.
    Status,
    /// Status 200, a `retry:` field, a comment with the cause, and the end of the stream. An
    /// `EventSource` reconnects.
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

/// Error of [`ManagerBuilder::build`](crate::ManagerBuilder::build): every invalid field.
///
/// ```
/// use sse_core::Manager;
///
/// let error = Manager::builder().max_connections(0).build().unwrap_err();
/// assert_eq!(error.problems[0].field, "max_connections");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BuildError {
    /// The invalid fields, in the order of the fields.
    pub problems: Vec<ConfigProblem>,
}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} {expected}")]
pub struct ConfigProblem {
    /// Name of the field in [`Config`].
    pub field: &'static str,
    /// Description of a valid value.
    pub expected: String,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Config {
    /// Checks every field.
    ///
    /// # Errors
    /// [`BuildError`] with all invalid fields.
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

/// Maximum number of streams that a table of `u32` keys holds, with room for streams that connect
/// while others end.
const MOST_STREAMS: usize = 1 << 30;

/// Maximum number of remembered keys. More would take gigabytes of memory.
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
