//! The metrics of a manager.

use sse_core::{
    Manager,
    stats::{LogState, LogStats},
};

use crate::{collector::Collector, family::Family, source::Source};

const STREAMS: Family = Family::gauge("sse_streams", "Live streams.");
const STREAMS_ENDING: Family = Family::gauge(
    "sse_streams_ending",
    "Ended streams that their transports have not released yet.",
);
const STREAMS_MOST: Family = Family::gauge("sse_streams_limit", "Maximum number of live streams.");
const USERS: Family = Family::gauge("sse_users", "Users with at least one live stream.");
const DRAINING: Family = Family::gauge(
    "sse_draining",
    "1 if new streams are rejected because of a shutdown.",
);
const ACCEPTED: Family = Family::counter("sse_streams_accepted", "Accepted streams.");
const ENDED: Family<1> =
    Family::counter("sse_streams_ended", "Ended streams, by reason.").labels(["reason"]);
const REFUSED: Family<1> =
    Family::counter("sse_streams_refused", "Rejected streams, by cause.").labels(["cause"]);
const PUBLISHED: Family = Family::counter(
    "sse_events_published",
    "Published events, with or without recipients.",
);
const QUEUED: Family = Family::counter(
    "sse_events_queued",
    "Events that were added to queues, counted once per stream.",
);
const DELIVERED: Family = Family::counter(
    "sse_events_delivered",
    "Events that were delivered to transports, counted once per stream.",
);
const DROPPED: Family = Family::counter(
    "sse_events_dropped",
    "Events that were dropped because a stream's queue was full.",
);
const HEARTBEATS: Family = Family::counter("sse_heartbeats", "Sent heartbeats.");
const BYTES: Family = Family::counter(
    "sse_delivered_bytes",
    "Bytes that were delivered to transports: events, heartbeats, first and last blocks.",
);

const LOG_STATE: Family<1> = Family::gauge(
    "sse_log_state",
    "1 for the current state of the event log: starting, current, away, rejecting or not_listening. Only with an event log.",
)
.labels(["state"]);
const LOG_LAG: Family = Family::gauge(
    "sse_log_lag_seconds",
    "Seconds since the end of the event log was last known. 0 if the log is the manager's own.",
);
const LOG_HEAD: Family<1> = Family::gauge(
    "sse_log_head",
    "Last position of the event log that the manager has followed, as a major and a minor number.",
)
.labels(["part"]);
const LOG_ENTRIES: Family = Family::gauge(
    "sse_log_entries",
    "Entries of the event log that the manager holds in memory.",
);
const LOG_BYTES: Family = Family::gauge(
    "sse_log_held_bytes",
    "Bytes of the event log that the manager holds in memory.",
);
const LOG_RESUMED: Family = Family::counter(
    "sse_log_resumed",
    "Resumed streams that received all missed events.",
);
const LOG_REPLAYED: Family = Family::counter(
    "sse_log_replayed",
    "Events that were replayed to streams from the event log.",
);
const LOG_GAPS: Family<1> = Family::counter(
    "sse_log_gaps",
    "Gaps that were reported to streams, by reason.",
)
.labels(["reason"]);
const LOG_DUPLICATES: Family = Family::counter(
    "sse_log_duplicates",
    "Duplicate publishes, detected by their idempotency keys.",
);
const LOG_KEYS_REFUSED: Family = Family::counter(
    "sse_log_keys_refused",
    "Publishes that were rejected because the maximum number of idempotency keys is remembered.",
);
const LOG_UNREADABLE: Family =
    Family::counter("sse_log_unreadable", "Unreadable entries of the event log.");
const LOG_DAMAGED: Family = Family::counter(
    "sse_log_damaged",
    "Unreadable ranges of the event log. Each was reported to clients by a gap.",
);
const LOG_RECONNECTS: Family = Family::counter(
    "sse_log_reconnects",
    "Lost or failed connections to the event log.",
);
const LOG_READS: Family = Family::counter(
    "sse_log_reads",
    "Reads of older parts of the event log, for resumed streams.",
);
const LOG_APPENDS: Family<1> = Family::counter(
    "sse_log_appends",
    "Appends to an external event log, by outcome.",
)
.labels(["outcome"]);
const LOG_APPEND_SECONDS: Family = Family::counter(
    "sse_log_append_seconds",
    "Total duration of all appends, in seconds.",
);

impl Source for Manager {
    fn collect(&self, families: &mut Collector) {
        let stats = self.stats();
        families.put(&STREAMS, [], stats.total_connections);
        families.put(&STREAMS_ENDING, [], stats.ending);
        families.put(&STREAMS_MOST, [], self.config().max_connections);
        families.put(&USERS, [], stats.unique_users);
        families.put(&DRAINING, [], self.rejects_streams());
        let counters = stats.counters;
        families.put(&ACCEPTED, [], counters.connected);
        families.put_each(&ENDED, counters.disconnected.iter());
        families.put_each(&REFUSED, counters.refused.iter());
        families.put(&PUBLISHED, [], counters.published);
        families.put(&QUEUED, [], counters.queued);
        families.put(&DELIVERED, [], counters.delivered);
        families.put(&DROPPED, [], counters.dropped);
        families.put(&HEARTBEATS, [], counters.heartbeats);
        families.put(&BYTES, [], counters.bytes);
        if let Some(log) = self.log_stats() {
            put_log(families, &log);
        }
    }
}

fn put_log(families: &mut Collector, log: &LogStats) {
    families.put_each(
        &LOG_STATE,
        LogState::ALL.map(|(name, state)| (name, log.state == state)),
    );
    families.put(&LOG_LAG, [], log.lag.as_secs_f64());
    let head = log.head.position;
    families.put_each(
        &LOG_HEAD,
        [("major", head.major()), ("minor", head.minor())],
    );
    families.put(&LOG_ENTRIES, [], log.entries);
    families.put(&LOG_BYTES, [], log.bytes);
    families.put(&LOG_RESUMED, [], log.resumed);
    families.put(&LOG_REPLAYED, [], log.replayed);
    families.put_each(&LOG_GAPS, log.gaps.iter());
    families.put(&LOG_DUPLICATES, [], log.duplicates);
    families.put(&LOG_KEYS_REFUSED, [], log.keys_refused);
    families.put(&LOG_UNREADABLE, [], log.unreadable);
    families.put(&LOG_DAMAGED, [], log.damaged);
    families.put(&LOG_RECONNECTS, [], log.reconnects);
    families.put(&LOG_READS, [], log.reads);
    families.put_each(
        &LOG_APPENDS,
        [("ok", log.appends), ("failed", log.append_failures)],
    );
    families.put(&LOG_APPEND_SECONDS, [], log.append_time.as_secs_f64());
}
