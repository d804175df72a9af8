//! Listings of connected streams.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use crate::{
    id::{
        client_id::ClientId,
        login_id::LoginId,
        names::{Topic, UserId},
        target::Target,
    },
    manager::Manager,
    registry::slot::Slot,
    sequencer::Sequencer,
};

/// A query for one page of live streams. The type of the cursor depends on the listing; a manager's
/// cursor is a number.
///
/// ```
/// use sse_core::{Handshake, Manager, UserId, connections::ConnectionQuery};
///
/// let manager = Manager::builder().build()?;
/// let sessions = [(); 3].map(|()| manager.connect(Handshake::new().user("42")).unwrap());
///
/// let query = ConnectionQuery::first(2).user(UserId::new("42")?);
/// let page = manager.connections(&query);
/// assert_eq!(page.items.len(), 2);
///
/// let last = manager.connections(&query.after(page.next_cursor));
/// assert_eq!(last.items.len(), 1);
/// assert_eq!(last.next_cursor, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionQuery<C = u32> {
    /// User to filter by.
    pub user: Option<UserId>,
    /// Topic to filter by.
    pub topic: Option<Topic>,
    /// Cursor that the previous page returned; `None` for the first page.
    pub cursor: Option<C>,
    /// Maximum number of streams on the page.
    pub limit: usize,
}

/// A live stream in a listing.
///
/// ```
/// use sse_core::{Handshake, Manager, Topic};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42").topic("news"))?;
///
/// let connection = manager.connection(session.client_id()).unwrap();
/// assert_eq!(connection.topics, [Topic::new("news")?]);
/// assert_eq!(connection.delivered, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connection {
    /// Client id of the stream.
    pub client_id: ClientId,
    /// User of the stream; `None` if it is anonymous.
    pub user_id: Option<UserId>,
    /// Sign-in of the stream: the same for all streams of one browser. `None` if authentication
    /// provides none.
    pub login_id: Option<LoginId>,
    /// Topics of the stream.
    pub topics: Vec<Topic>,
    /// Time at which the stream was accepted, in Unix milliseconds.
    pub connected_at: u64,
    /// Number of events that wait for the transport.
    pub waiting: usize,
    /// Number of events that the transport took.
    pub delivered: u64,
}

/// One page of live streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionPage {
    /// The streams of the page.
    pub items: Vec<Connection>,
    /// Cursor of the next page; `None` if this page is the last.
    pub next_cursor: Option<u32>,
}

impl<C> Default for ConnectionQuery<C> {
    fn default() -> Self {
        Self::first(0)
    }
}

impl<C> ConnectionQuery<C> {
    /// Creates a query for the first `limit` streams.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self {
            user: None,
            topic: None,
            cursor: None,
            limit,
        }
    }

    /// Restricts the query to a user.
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Restricts the query to a topic.
    #[must_use]
    pub fn topic(mut self, topic: Topic) -> Self {
        self.topic = Some(topic);
        self
    }

    /// Continues after the previous page, whose `next_cursor` is `cursor`.
    #[must_use]
    pub fn after(mut self, cursor: Option<C>) -> Self {
        self.cursor = cursor;
        self
    }
}

impl Manager {
    /// Lists live streams, in an order that does not change while they live. One page is
    /// consistent, a listing of several pages is not: streams that connect or end in between can be
    /// missing or included.
    #[must_use]
    pub fn connections(&self, query: &ConnectionQuery) -> ConnectionPage {
        let sequencer = self.inner.sequencer.lock();
        let from = query.cursor.unwrap_or(0);
        let of = (query.user.as_ref(), query.topic.as_ref());
        let mut places = sequencer.candidates(of, from, query.limit.saturating_add(1));
        places.truncate(query.limit.saturating_add(1));
        let next_cursor = (places.len() > query.limit).then(|| places.pop()).flatten();
        let slots = places
            .iter()
            .filter_map(|place| sequencer.registry.streams.get(*place));
        let items = slots.map(|slot| Connection::of(&sequencer, slot)).collect();
        ConnectionPage { items, next_cursor }
    }

    /// Returns the live stream of a client id; `None` if this node has no live stream with the id.
    #[must_use]
    pub fn connection(&self, client: ClientId) -> Option<Connection> {
        let sequencer = self.inner.sequencer.lock();
        let slot = sequencer
            .registry
            .streams
            .get(sequencer.registry.place(client)?)?;
        Some(Connection::of(&sequencer, slot))
    }

    /// Returns the current number of live streams in a target. The cost does not depend on the
    /// number.
    #[must_use]
    pub fn count(&self, target: &Target) -> usize {
        let sequencer = self.inner.sequencer.lock();
        match target {
            Target::Client(client) => sequencer.registry.place(*client).iter().len(),
            target => sequencer.size_of(target),
        }
    }

    /// Returns the users with the most streams, at most `limit`, each with its number of streams,
    /// in descending order of the number.
    ///
    /// Visits every user, in steps between which other callers can use the manager.
    pub async fn connections_by_user(&self, limit: usize) -> Vec<(UserId, usize)> {
        let mut most = BinaryHeap::new();
        let mut from = Some(0);
        while let Some(start) = from {
            from = self
                .inner
                .sequencer
                .lock()
                .count_users(start, limit, &mut most);
            yield_now().await;
        }
        let users = most
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse((count, Reverse(user)))| (user, count));
        // A user that got a second stream in the meantime can occur twice; the larger number comes
        // first.
        let mut seen = HashSet::new();
        users
            .filter(|(user, _)| seen.insert(user.clone()))
            .collect()
    }
}

impl Connection {
    fn of(sequencer: &Sequencer, slot: &Slot) -> Self {
        let state = slot.stream.queue.lock();
        Self {
            client_id: slot.stream.id,
            user_id: slot.stream.user.clone(),
            login_id: sequencer.registry.login(slot.stream.place),
            topics: sequencer.registry.topics_of(slot),
            connected_at: slot.stream.connected_at,
            waiting: state.waiting(),
            delivered: state.delivered,
        }
    }
}
