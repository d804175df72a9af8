//! Lists the streams of all nodes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sse_core::connections::{Connection, ConnectionQuery};
use thiserror::Error;

use crate::{
    cluster::Cluster,
    messages::{NodeRequest, NodeResponse},
    node_id::NodeId,
};

/// A query for the streams of all nodes, with filters and the size of a page.
pub type ClusterQuery = ConnectionQuery<ClusterCursor>;

/// The position where a page of a listing ended, as opaque text `node:place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterCursor {
    node: NodeId,
    place: Option<u32>,
}

/// The error for text that is not a [`ClusterCursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cursor is not from this listing")]
pub struct ClusterCursorError;

/// A live stream in a listing, with its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClusterConnection {
    /// The stream.
    #[serde(flatten)]
    pub connection: Connection,
    /// The node of the stream.
    pub node: NodeId,
}

/// A page of a listing.
///
/// ```
/// use sse_cluster::{Cluster, ClusterQuery};
/// use sse_core::{Handshake, Manager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().build()?;
/// let cluster = Cluster::alone(&manager);
/// let stream = manager.connect(Handshake::new().user("42"))?;
///
/// let page = cluster.connections(&ClusterQuery::first(50)).await;
/// assert_eq!(page.items[0].connection.client_id, stream.client_id());
/// assert!(page.next_cursor.is_none());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterPage {
    /// The streams.
    pub items: Vec<ClusterConnection>,
    /// Start of the next page; `None` at the end.
    pub next_cursor: Option<ClusterCursor>,
    /// Nodes that did not reply in time; the listing continues with the next node.
    pub unanswered: Vec<NodeId>,
    /// Set if the list of nodes is current and every node of this page has replied.
    pub complete: bool,
}

impl Cluster {
    /// Lists live streams of all nodes, node by node. The order of streams is stable while they
    /// live.
    ///
    /// Each node is asked, and its reply is exact at that moment. A listing of several pages is not
    /// a snapshot: streams and nodes that connect or disconnect meanwhile can be listed or missing.
    /// A node that does not reply in time is skipped and named in the page. A limit of zero counts
    /// as one.
    pub async fn connections(&self, query: &ClusterQuery) -> ClusterPage {
        let limit = query.limit.max(1);
        let (nodes, knows_nodes) = {
            let state = self.shared.membership.lock();
            let nodes: Vec<_> = if self.has_others() {
                state.nodes().map(|(id, _)| id).collect()
            } else {
                vec![self.node()]
            };
            (
                nodes,
                !self.has_others() || state.knows_nodes(self.shared.config.term),
            )
        };
        let mut page = ClusterPage {
            items: Vec::new(),
            next_cursor: None,
            unanswered: Vec::new(),
            complete: knows_nodes,
        };
        let from = query.cursor;
        for node in nodes
            .into_iter()
            .filter(|node| from.is_none_or(|from| *node >= from.node))
        {
            let place = from
                .filter(|from| from.node == node)
                .and_then(|from| from.place);
            page.next_cursor = Some(ClusterCursor { node, place });
            if page.items.len() >= limit {
                return page;
            }
            self.fill(&mut page, query, (node, place), limit).await;
            if page.next_cursor.is_some() {
                return page;
            }
        }
        page.next_cursor = None;
        page
    }

    /// Fills a page with streams of one node. The cursor of a full page is the start of the next
    /// page.
    async fn fill(
        &self,
        page: &mut ClusterPage,
        query: &ClusterQuery,
        (node, mut place): (NodeId, Option<u32>),
        limit: usize,
    ) {
        page.next_cursor = None;
        loop {
            let left = limit - page.items.len();
            let request = NodeRequest::Connections {
                user: query.user.clone(),
                topic: query.topic.clone(),
                cursor: place,
                limit: u32::try_from(left).unwrap_or(u32::MAX),
            };
            let response = if node == self.node() {
                Some(self.shared.answer(request).await)
            } else {
                self.shared.ask_one(node, request).await
            };
            let Some(NodeResponse::Connections { items, next }) = response else {
                page.unanswered.push(node);
                page.complete = false;
                return;
            };
            let items = items.into_iter().take(left);
            page.items
                .extend(items.map(|connection| ClusterConnection { connection, node }));
            let Some(next) = next else { return };
            // A node that returns the same place again would be asked in an endless loop.
            if place.is_some_and(|place| next <= place) {
                return;
            }
            place = Some(next);
            if page.items.len() >= limit {
                page.next_cursor = Some(ClusterCursor { node, place });
                return;
            }
        }
    }
}

impl fmt::Display for ClusterCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{}:{place}", self.node),
            None => write!(f, "{}:", self.node),
        }
    }
}

impl FromStr for ClusterCursor {
    type Err = ClusterCursorError;

    fn from_str(text: &str) -> Result<Self, ClusterCursorError> {
        let (node, place) = text.split_once(':').ok_or(ClusterCursorError)?;
        let node = node.parse().map_err(|_| ClusterCursorError)?;
        let place = match place {
            "" => None,
            place if place.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(place.parse().map_err(|_| ClusterCursorError)?)
            }
            _ => return Err(ClusterCursorError),
        };
        Ok(Self { node, place })
    }
}

impl Serialize for ClusterCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClusterCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_cursors_parse() {
        let node = NodeId::random();
        for place in [None, Some(0), Some(u32::MAX)] {
            let cursor = ClusterCursor { node, place };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in [
            "",
            ":",
            "7",
            "7:7",
            &node.to_string(),
            &format!("{node}:+7"),
            &format!("{node}:4294967296"),
        ] {
            assert_eq!(
                bad.parse::<ClusterCursor>(),
                Err(ClusterCursorError),
                "{bad:?}"
            );
        }
    }
}
