//! Numbers for Prometheus.

use std::sync::atomic::Ordering;

use sse_metrics::{Families, Family, Histogram, Source};

use crate::{code::Code, management::Management};

const CALLS: Family<2> = Family::counter(
    "sse_management_calls",
    "Calls of the management API, by procedure and by what became of them.",
)
.labels(["procedure", "code"]);
const DURATIONS: Histogram<1> = Histogram::new(
    "sse_management_call_seconds",
    "How long calls of the management API took, without the way there and back; of a subscription until the stream is open.",
)
.labels(["procedure"]);
const UNKNOWN: Family =
    Family::counter("sse_management_unknown_calls", "Calls of procedures that do not exist.");
const REFUSED: Family<1> = Family::counter(
    "sse_management_refused_requests",
    "Requests to the management API that were refused before a call was found in them.",
)
.labels(["code"]);

/// How requests without a call fail.
const REFUSALS: [Code; 3] = [Code::ParseError, Code::BadRequest, Code::UnsupportedMediaType];

/// Labels are names of procedures that exist, and codes: no text of a caller's is among them.
impl Source for Management {
    fn collect(&self, families: &mut Families) {
        let mut tallies: Vec<_> = self.tallies().collect();
        tallies.sort_unstable_by_key(|(path, _)| *path);
        for (path, tally) in &tallies {
            for (code, count) in tally.counts() {
                families.put(&CALLS, [path, code], count);
            }
        }
        for (path, tally) in tallies {
            families.put_durations(&DURATIONS, [path], &tally.durations);
        }
        families.put(&UNKNOWN, [], self.unknown.load(Ordering::Relaxed));
        families.put_each(&REFUSED, self.refused.counts(&REFUSALS));
    }
}
