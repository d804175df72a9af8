//! `getStats`.

use serde::{Deserialize, Serialize, Serializer};
use sse_cluster::NodeStats;
use sse_core::{
    UserId,
    backplane::Cursor,
    stats::{Counters, LogState, LogStats, NamedCounts},
};

use crate::{context::Context, error::Error, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "StatsInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    by_user: Option<bool>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SseStats"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    total_connections: usize,
    unique_users: usize,
    /// Number of streams of each user; absent if `byUser` is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        test,
        ts(optional, as = "Option<std::collections::HashMap<String, usize>>")
    )]
    connections_by_user: Option<ByUser>,
    /// Number of ending streams. In a cluster, this number and the counters are those of the node
    /// that answers, and the numbers above are of all nodes.
    ending: usize,
    /// State of the event log; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    log: Option<LogNumbers>,
    /// The node that answers; only in a cluster, as `nodes`, `ageMs` and `incomplete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    node: Option<String>,
    /// All nodes that are connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    nodes: Option<Vec<Node>>,
    /// Age of the oldest numbers in the output, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    age_ms: Option<u64>,
    /// Nodes whose numbers are not completely known; only if some are not, or the list of nodes is
    /// unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    incomplete: Option<Vec<String>>,
    #[serde(flatten)]
    #[cfg_attr(test, ts(skip))]
    counters: Counters,
}

/// A node of a cluster.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SseNode"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    node: String,
    /// Name of the node, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    name: Option<String>,
    connections: usize,
    unique_users: usize,
    /// Age of the node's numbers, in milliseconds.
    age_ms: u64,
}

/// The state of the event log: current gauges, and counters since the start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SseLog"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogNumbers {
    backplane: &'static str,
    #[cfg_attr(
        test,
        ts(type = "\"starting\" | \"current\" | \"away\" | \"rejecting\" | \"not_listening\"")
    )]
    state: LogState,
    /// Id of the latest event.
    head: String,
    /// Id after which all events are held.
    trimmed: String,
    lag_ms: u128,
    entries: usize,
    bytes: usize,
    resumed: u64,
    replayed: u64,
    #[cfg_attr(test, ts(type = "SseGaps"))]
    gaps: NamedCounts<6>,
    duplicates: u64,
    unreadable: u64,
    damaged: u64,
    reconnects: u64,
    reads: u64,
    appends: u64,
    append_failures: u64,
    append_ms: u128,
}

impl From<LogStats> for LogNumbers {
    fn from(stats: LogStats) -> Self {
        Self {
            backplane: stats.backplane,
            state: stats.state,
            trimmed: Cursor::new(stats.head.epoch.clone(), stats.trimmed).to_string(),
            head: stats.head.to_string(),
            lag_ms: stats.lag.as_millis(),
            entries: stats.entries,
            bytes: stats.bytes,
            resumed: stats.resumed,
            replayed: stats.replayed,
            gaps: stats.gaps,
            duplicates: stats.duplicates,
            unreadable: stats.unreadable,
            damaged: stats.damaged,
            reconnects: stats.reconnects,
            reads: stats.reads,
            appends: stats.appends,
            append_failures: stats.append_failures,
            append_ms: stats.append_time.as_millis(),
        }
    }
}

/// Serializes as an object, the users with the most streams first.
#[derive(Debug)]
struct ByUser(Vec<(UserId, usize)>);

impl Serialize for ByUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(user, count)| (user, count)))
    }
}

pub(crate) async fn get(context: Context, input: Input) -> Result<Stats, Error> {
    let most = context.limits().users;
    let limit = input.limit.unwrap_or(most.min(1000));
    validation::in_range("limit", limit, 1, most)?;
    let cluster = context.cluster();
    let connections_by_user = match input.by_user {
        Some(false) => None,
        _ => Some(ByUser(cluster.connections_by_user(limit).await)),
    };
    let own = context.manager().stats();
    let all = cluster.stats();
    let is_cluster = cluster.has_others();
    let unknown = || {
        all.nodes
            .iter()
            .filter(|node| !node.complete)
            .map(|node| node.node.to_string())
    };
    Ok(Stats {
        total_connections: all.connections,
        unique_users: all.unique_users,
        connections_by_user,
        ending: own.ending,
        node: is_cluster.then(|| cluster.node().to_string()),
        nodes: is_cluster.then(|| all.nodes.iter().map(Node::of).collect()),
        age_ms: is_cluster.then(|| milliseconds(all.age)),
        incomplete: (!all.complete).then(|| unknown().collect()),
        log: context.manager().log_stats().map(LogNumbers::from),
        counters: own.counters,
    })
}

impl Node {
    fn of(stats: &NodeStats) -> Self {
        Self {
            node: stats.node.to_string(),
            name: stats.name.as_deref().map(str::to_owned),
            connections: stats.connections,
            unique_users: stats.unique_users,
            age_ms: milliseconds(stats.age),
        }
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
