//! All fields of [`Config`] as flags and variables.

use std::time::Duration;

use clap::Args;
use sse_core::{
    Config,
    config::{HeartbeatKind, LimitPolicy, Overflow, RejectionStyle},
};

use crate::settings::values::{choice, duration, overflow, put};

/// A flag and a variable for every field of [`Config`], by the field's name.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Streams")]
pub(crate) struct StreamArgs {
    /// Maximum number of streams; the hard limit of open files must allow it [default: 1000]
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS")]
    max_connections: Option<usize>,
    /// Maximum number of streams of one user [default: 50, or half of --max-connections if that is
    /// less; in demo mode no limit]
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS_PER_USER")]
    max_connections_per_user: Option<usize>,
    /// Maximum number of streams from one address [default: no limit; with --demo beyond this
    /// machine half of --max-connections]
    #[arg(long, value_name = "N", env = "SSE_HUB_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<usize>,
    /// Maximum number of streams of callers without a user from one address [default: half of
    /// --max-connections; in demo mode no limit]
    #[arg(
        long,
        value_name = "N",
        env = "SSE_HUB_MAX_ANONYMOUS_CONNECTIONS_PER_ADDRESS"
    )]
    max_anonymous_connections_per_address: Option<usize>,
    /// Policy for a new stream at --max-connections: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_FULL")]
    when_full: Option<LimitPolicy>,
    /// Policy for a new stream at --max-connections-per-user: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_USER_FULL")]
    when_user_full: Option<LimitPolicy>,
    /// Policy for a new stream at --max-connections-per-address: refuse (default), replace_oldest
    #[arg(long, value_name = "POLICY", value_parser = choice::<LimitPolicy>, env = "SSE_HUB_WHEN_ADDRESS_FULL")]
    when_address_full: Option<LimitPolicy>,
    /// Form of temporary rejections (429, 503): auto (soft for an EventSource, status for others;
    /// default), status, soft (200, `retry:`, end)
    #[arg(long, value_name = "FORM", value_parser = choice::<RejectionStyle>, env = "SSE_HUB_REFUSAL")]
    refusal: Option<RejectionStyle>,
    /// Form of heartbeats on a quiet stream: event (default), comment, off
    #[arg(long, value_name = "FORM", value_parser = choice::<HeartbeatKind>, env = "SSE_HUB_HEARTBEAT")]
    heartbeat: Option<HeartbeatKind>,
    /// Interval between heartbeats on a quiet stream [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_HEARTBEAT_INTERVAL")]
    heartbeat_interval: Option<Duration>,
    /// Timeout for a client that accepts none of its queued data; its stream is then closed
    /// [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_CONNECTION_TIMEOUT")]
    connection_timeout: Option<Duration>,
    /// Maximum age of a stream; the stream ends at a random 80 to 100 % of it [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_MAX_AGE")]
    max_age: Option<Duration>,
    /// Delay before clients reconnect, varied by up to a quarter [default: 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "SSE_HUB_RETRY")]
    retry: Option<Duration>,
    /// Maximum number of events in the queue of one stream [default: 1024]
    #[arg(long, value_name = "N", env = "SSE_HUB_QUEUE_FRAMES")]
    queue_frames: Option<usize>,
    /// Maximum size of the queue of one stream, and of one event [default: 2097152]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_QUEUE_BYTES")]
    queue_bytes: Option<usize>,
    /// Policy for a full queue: disconnect (default), drop_oldest, keep_latest=key,
    /// keep_latest=event_type
    #[arg(long, value_name = "POLICY", value_parser = overflow, env = "SSE_HUB_OVERFLOW")]
    overflow: Option<Overflow>,
    /// Maximum size of all events that wait for an unavailable event log, from publishes with
    /// retryForMs [default: 16777216]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_SPOOL_BYTES")]
    spool_bytes: Option<usize>,
    /// Maximum number of publishes with key or retryForMs of one user within two minutes [default:
    /// 1000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_PER_USER")]
    keys_per_user: Option<usize>,
    /// Maximum number of publishes with key or retryForMs of all users within two minutes
    /// [default: 200000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_OF_USERS")]
    keys_of_users: Option<usize>,
    /// Maximum number of publishes with key or retryForMs of all backends within two minutes
    /// [default: 500000]
    #[arg(long, value_name = "N", env = "SSE_HUB_KEYS_OF_BACKENDS")]
    keys_of_backends: Option<usize>,
    /// Maximum size of an event type [default: 128]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_EVENT_TYPE")]
    limits_event_type: Option<usize>,
    /// Maximum size of a topic [default: 256]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_TOPIC")]
    limits_topic: Option<usize>,
    /// Maximum size of a user id [default: 256]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_LIMITS_USER")]
    limits_user: Option<usize>,
    /// Maximum number of topics of one stream [default: 64]
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
