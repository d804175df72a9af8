//! `getStats`.

use serde::{Deserialize, Serialize, Serializer};
use sse_core::{Counters, UserId};

use crate::{check, context::Context, error::Error};

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
    /// Left out when it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, as = "Option<std::collections::HashMap<String, usize>>"))]
    connections_by_user: Option<ByUser>,
    ending: usize,
    #[serde(flatten)]
    #[cfg_attr(test, ts(skip))]
    counters: Counters,
}

/// As an object, those with the most streams first.
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
    check::in_range("limit", limit, 1, most)?;
    let connections_by_user = match input.by_user {
        Some(false) => None,
        _ => Some(ByUser(context.manager().connections_by_user(limit).await)),
    };
    let stats = context.manager().stats();
    Ok(Stats {
        total_connections: stats.total_connections,
        unique_users: stats.unique_users,
        connections_by_user,
        ending: stats.ending,
        counters: stats.counters,
    })
}
