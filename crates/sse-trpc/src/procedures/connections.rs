//! `getConnections`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, Unexpected, Visitor},
};
use sse_cluster::{ClusterCursor, ClusterQuery, NodeId};
use sse_core::{
    Topic, UserId,
    connections::{Connection, ConnectionQuery},
};

use crate::{context::Context, error::Error, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "ConnectionsInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    /// `nextCursor` of the previous page.
    #[cfg_attr(test, ts(optional = nullable, type = "number | string | null"))]
    cursor: Option<Cursor>,
    limit: Option<usize>,
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    user_id: Option<UserId>,
    #[cfg_attr(test, ts(optional = nullable, type = "string"))]
    topic: Option<Topic>,
    /// The direction that `useInfiniteQuery` adds to every input; pages are turned forward only.
    #[serde(rename = "direction")]
    #[cfg_attr(test, ts(optional = nullable, type = "\"forward\" | \"backward\""))]
    _direction: Option<IgnoredAny>,
}

/// The position at which a page ended: a number without a cluster, a text with one.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Cursor {
    Alone(u32),
    Cluster(ClusterCursor),
}

/// A page of the list of streams.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    items: Vec<Item>,
    next_cursor: Option<Cursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<Vec<NodeId>>,
}

#[derive(Debug, Serialize)]
struct Item {
    #[serde(flatten)]
    connection: Connection,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<NodeId>,
}

pub(crate) async fn get(context: Context, input: Input) -> Result<Page, Error> {
    let most = context.limits().connections;
    let limit = input.limit.unwrap_or(most.min(50));
    validation::in_range("limit", limit, 1, most)?;
    if let Some(user) = &input.user_id {
        validation::user(&context, "userId", user)?;
    }
    if let Some(topic) = &input.topic {
        validation::topic(&context, "topic", topic)?;
    }
    match (context.cluster().has_others(), input.cursor) {
        (false, None | Some(Cursor::Alone(_))) => Ok(of_manager(&context, input, limit)),
        (true, None | Some(Cursor::Cluster(_))) => Ok(of_cluster(&context, input, limit).await),
        _ => Err(Error::field("cursor", "is no cursor of this listing")),
    }
}

fn of_manager(context: &Context, input: Input, limit: usize) -> Page {
    let mut query = ConnectionQuery::first(limit);
    if let Some(Cursor::Alone(place)) = input.cursor {
        query.cursor = Some(place);
    }
    (query.user, query.topic) = (input.user_id, input.topic);
    let page = context.manager().connections(&query);
    let items = page.items.into_iter().map(|connection| Item {
        connection,
        node: None,
    });
    Page {
        items: items.collect(),
        next_cursor: page.next_cursor.map(Cursor::Alone),
        incomplete: None,
    }
}

async fn of_cluster(context: &Context, input: Input, limit: usize) -> Page {
    let mut query = ClusterQuery::first(limit);
    if let Some(Cursor::Cluster(cursor)) = input.cursor {
        query.cursor = Some(cursor);
    }
    (query.user, query.topic) = (input.user_id, input.topic);
    let page = context.cluster().connections(&query).await;
    let items = page.items.into_iter().map(|item| Item {
        connection: item.connection,
        node: Some(item.node),
    });
    Page {
        items: items.collect(),
        next_cursor: page.next_cursor.map(Cursor::Cluster),
        incomplete: (!page.complete).then_some(page.unanswered),
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CursorVisitor)
    }
}

struct CursorVisitor;

impl Visitor<'_> for CursorVisitor {
    type Value = Cursor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cursor of this listing")
    }

    fn visit_u64<E: de::Error>(self, place: u64) -> Result<Cursor, E> {
        let place = u32::try_from(place)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(place), &self))?;
        Ok(Cursor::Alone(place))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cursor, E> {
        text.parse()
            .map(Cursor::Cluster)
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}
