//! A manager's numbers.

use sse_core::Manager;

use crate::{families::Families, family::Family, source::Source};

const STREAMS: Family = Family::gauge("sse_streams", "Streams that are live.");
const STREAMS_ENDING: Family = Family::gauge(
    "sse_streams_ending",
    "Streams that were ended, and whose transport has not let go of them.",
);
const STREAMS_MOST: Family = Family::gauge("sse_streams_limit", "Streams there may be at once.");
const USERS: Family = Family::gauge("sse_users", "Users with at least one live stream.");
const DRAINING: Family = Family::gauge("sse_draining", "1 when newcomers are refused because of a shutdown.");
const ACCEPTED: Family = Family::counter("sse_streams_accepted", "Streams that were accepted.");
const ENDED: Family<1> =
    Family::counter("sse_streams_ended", "Streams that ended, by reason.").labels(["reason"]);
const REFUSED: Family<1> =
    Family::counter("sse_streams_refused", "Streams that were refused, by cause.").labels(["cause"]);
const PUBLISHED: Family =
    Family::counter("sse_events_published", "Events that were published, whether anybody was there or not.");
const QUEUED: Family =
    Family::counter("sse_events_queued", "Events that were put into queues, one for each stream.");
const DELIVERED: Family =
    Family::counter("sse_events_delivered", "Events that transports took, one for each stream.");
const DROPPED: Family =
    Family::counter("sse_events_dropped", "Events that were dropped because a stream's queue was full.");
const HEARTBEATS: Family = Family::counter("sse_heartbeats", "Heartbeats that were sent.");
const BYTES: Family = Family::counter(
    "sse_delivered_bytes",
    "Bytes of events, heartbeats, first and last blocks that transports took.",
);

impl Source for Manager {
    fn collect(&self, families: &mut Families) {
        let stats = self.stats();
        families.put(&STREAMS, [], stats.total_connections);
        families.put(&STREAMS_ENDING, [], stats.ending);
        families.put(&STREAMS_MOST, [], self.config().max_connections);
        families.put(&USERS, [], stats.unique_users);
        families.put(&DRAINING, [], self.is_draining());
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
    }
}
