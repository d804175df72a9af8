//! `getConnections`.

use serde::{Deserialize, de::IgnoredAny};
use sse_core::{ConnectionPage, ConnectionQuery, Topic, UserId};

use crate::{check, context::Context, error::Error};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ConnectionsInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    cursor: Option<u32>,
    limit: Option<usize>,
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    user_id: Option<UserId>,
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    topic: Option<Topic>,
    /// What `useInfiniteQuery` adds to every input; pages are turned forward only.
    #[serde(rename = "direction")]
    #[cfg_attr(test, ts(optional = nullable, type = "\"forward\" | \"backward\""))]
    _direction: Option<IgnoredAny>,
}

pub(crate) async fn get(context: Context, input: Input) -> Result<ConnectionPage, Error> {
    let most = context.limits().connections;
    let mut query = ConnectionQuery::first(input.limit.unwrap_or(most.min(50)));
    check::in_range("limit", query.limit, 1, most)?;
    if let Some(user) = &input.user_id {
        check::user(&context, "userId", user)?;
    }
    if let Some(topic) = &input.topic {
        check::topic(&context, "topic", topic)?;
    }
    query.cursor = input.cursor;
    query.user = input.user_id;
    query.topic = input.topic;
    Ok(context.manager().connections(&query))
}
