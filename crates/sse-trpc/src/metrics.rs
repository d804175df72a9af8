//! Metrics for Prometheus.

use std::sync::atomic::Ordering;

use sse_cluster::ClusterStats;
use sse_metrics::{Collector, Family, Histogram, Source};

use crate::{error_code::Code, management::Management};

const CALLS: Family<2> = Family::counter(
    "sse_management_calls",
    "Calls of the management API, by procedure and outcome.",
)
.labels(["procedure", "code"]);
const DURATIONS: Histogram<1> = Histogram::new(
    "sse_management_call_seconds",
    "Duration of calls of the management API, without the network; for a subscription, until the stream is open.",
)
.labels(["procedure"]);
const UNKNOWN: Family = Family::counter(
    "sse_management_unknown_calls",
    "Calls of procedures that do not exist.",
);
const REFUSED: Family<1> = Family::counter(
    "sse_management_refused_requests",
    "Requests to the management API that were refused before a call was found in them.",
)
.labels(["code"]);

const NODES: Family = Family::gauge(
    "sse_cluster_nodes",
    "Nodes of the cluster that this node knows, itself included; only in a cluster.",
);
const CLUSTER_STREAMS: Family = Family::gauge(
    "sse_cluster_streams",
    "Streams that are live on all nodes of the cluster.",
);
const CLUSTER_USERS: Family = Family::gauge(
    "sse_cluster_users",
    "Users with at least one live stream on any node of the cluster, each counted once.",
);
const CLUSTER_AGE: Family = Family::gauge(
    "sse_cluster_age_seconds",
    "Age of the oldest report of another node.",
);
const CLUSTER_COMPLETE: Family = Family::gauge(
    "sse_cluster_complete",
    "1 if this node knows all nodes and the latest user report of each; otherwise 0.",
);

/// The codes with which requests without a call fail.
const REFUSALS: [Code; 3] = [
    Code::ParseError,
    Code::BadRequest,
    Code::UnsupportedMediaType,
];

/// Labels are names of known procedures, and codes. No label contains text from a caller.
impl Source for Management {
    fn collect(&self, families: &mut Collector) {
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
        if self.cluster.has_others() {
            put_cluster(families, &self.cluster.stats());
        }
    }
}

fn put_cluster(families: &mut Collector, cluster: &ClusterStats) {
    families.put(&NODES, [], cluster.nodes.len());
    families.put(&CLUSTER_STREAMS, [], cluster.connections);
    families.put(&CLUSTER_USERS, [], cluster.unique_users);
    families.put(&CLUSTER_AGE, [], cluster.age.as_secs_f64());
    families.put(&CLUSTER_COMPLETE, [], cluster.complete);
}
