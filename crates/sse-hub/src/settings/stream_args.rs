//! All fields of [`Config`] as flags and variables.

use std::time::Duration;

use clap::Args;
use sse_core::{Config, HeartbeatKind, LimitPolicy, Overflow, RejectionStyle};

use crate::settings::values::{choice, duration, overflow, put};

/// A flag and a variable for every field of [`Config`], by the field's name.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Streams")]
pub(crate) struct StreamArgs {
    /// Streams at once [default: 1000]; the hard limit of open files must allow them
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS")]
    max_connections: Option<usize>,
    /// Streams at once of one user [default: 50, or half of all if that is less; in demo mode no
    /// limit]
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS_PER_USER")]
    max_connections_per_user: Option<usize>,
    /// Streams at once from one address [default: no limit; with --demo beyond this machine half of
    /// all]
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<usize>,
    /// Streams at once from one address of callers that are no users [default: half of all; in demo
    /// mode no limit]
    #[arg(
        long,
        value_name = "N",
        env = "SSE_HUB_MAX_ANONYMOUS_CONNECTIONS_PER_ADDRESS"
    )]
    max_anonymous_connections_per_address: Option<usize>,
    /// A newcomer beyond --max-connections: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_FULL")]
    when_full: Option<LimitPolicy>,
    /// A newcomer beyond --max-connections-per-user: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_USER_FULL")]
    when_user_full: Option<LimitPolicy>,
    /// A newcomer beyond --max-connections-per-address: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_ADDRESS_FULL")]
    when_address_full: Option<LimitPolicy>,
    /// Form of rejections that pass (429, 503): auto (soft for an EventSource, status for others;
    /// default), status, soft (200, `retry:`, end)
    #[arg(long, value_name = "FORM", value_parser = choice::<RejectionStyle>, env = "SSE_HUB_REFUSAL")]
    refusal: Option<RejectionStyle>,
    /// What a quiet stream gets: event (default), comment, off
    #[arg(long, value_name = "FORM", value_parser = choice::<HeartbeatKind>, env = "SSE_HUB_HEARTBEAT")]
    heartbeat: Option<HeartbeatKind>,
    /// After how long a quiet stream gets a heartbeat [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_HEARTBEAT_INTERVAL")]
    heartbeat_interval: Option<Duration>,
    /// A client that takes nothing of what waits for it is dropped within this time [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_CONNECTION_TIMEOUT")]
    connection_timeout: Option<Duration>,
    /// A stream ends at a random 80 to 100 % of this age [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_MAX_AGE")]
    max_age: Option<Duration>,
    /// When clients are told to come back after a cut, give or take a quarter [default: 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_RETRY")]
    retry: Option<Duration>,
    /// Events that may wait for one stream [default: 1024]
    #[arg(long, value_name = "N", env = "SSE_HUB_QUEUE_FRAMES")]
    queue_frames: Option<usize>,
    /// Bytes that may wait for one stream, also the largest event [default: 2097152]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_QUEUE_BYTES")]
    queue_bytes: Option<usize>,
    /// When a queue is full: disconnect (default), drop_oldest, keep_latest=key,
    /// keep_latest=event_type
    #[arg(long, value_name = "POLICY", value_parser = overflow, env = "SSE_HUB_OVERFLOW")]
    overflow: Option<Overflow>,
    /// Bytes of events that may wait at once for an event log that is away, for callers with
    /// patience [default: 16777216]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_SPOOL_BYTES")]
    spool_bytes: Option<usize>,
    /// Publishes of one user with a key or patience within two minutes [default: 1000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_PER_USER")]
    keys_per_user: Option<usize>,
    /// The same of all users together [default: 200000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_OF_USERS")]
    keys_of_users: Option<usize>,
    /// The same of all backends together [default: 500000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_OF_BACKENDS")]
    keys_of_backends: Option<usize>,
    /// Bytes of an event type [default: 128]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_EVENT_TYPE")]
    limits_event_type: Option<usize>,
    /// Bytes of a topic [default: 256]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_TOPIC")]
    limits_topic: Option<usize>,
    /// Bytes of a user id [default: 256]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_USER")]
    limits_user: Option<usize>,
    /// Topics of one stream [default: 64]
    #[arg(long, value_name = "N", env = "SSE_HUB_LIMITS_TOPICS")]
    limits_topics: Option<usize>,
}

impl StreamArgs {
    /// Overwrites the settings that were given.
    pub(crate) fn apply(self, config: &mut Config) {
        put(&mut config.max_connections, self.max_connections);
        put(
            &mut config.max_connections_per_user,
            self.max_connections_per_user.map(Some),
        );
        put(
            &mut config.max_connections_per_address,
            self.max_connections_per_address.map(Some),
        );
        let anonymous = self.max_anonymous_connections_per_address;
        put(
            &mut config.max_anonymous_connections_per_address,
            anonymous.map(Some),
        );
        put(&mut config.when_full, self.when_full);
        put(&mut config.when_user_full, self.when_user_full);
        put(&mut config.when_address_full, self.when_address_full);
        put(&mut config.refusal, self.refusal);
        put(&mut config.heartbeat, self.heartbeat);
        put(&mut config.heartbeat_interval, self.heartbeat_interval);
        put(&mut config.connection_timeout, self.connection_timeout);
        put(&mut config.max_age, self.max_age.map(Some));
        put(&mut config.retry, self.retry);
        put(&mut config.queue_frames, self.queue_frames);
        put(&mut config.queue_bytes, self.queue_bytes);
        put(&mut config.overflow, self.overflow);
        put(&mut config.spool_bytes, self.spool_bytes);
        put(&mut config.keys.per_user, self.keys_per_user);
        put(&mut config.keys.of_users, self.keys_of_users);
        put(&mut config.keys.of_backends, self.keys_of_backends);
        put(&mut config.limits.event_type, self.limits_event_type);
        put(&mut config.limits.topic, self.limits_topic);
        put(&mut config.limits.user, self.limits_user);
        put(&mut config.limits.topics, self.limits_topics);
    }
}
