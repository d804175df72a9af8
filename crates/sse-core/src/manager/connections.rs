//! Who is connected.

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

/// Which streams a listing shows, and how many at once. Listings differ in what says where a page
/// ended; a manager's is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionQuery<C = u32> {
    /// Only those of a user.
    pub user: Option<UserId>,
    /// Only those in a topic.
    pub topic: Option<Topic>,
    /// Where the page before ended.
    pub cursor: Option<C>,
    /// At most so many.
    pub limit: usize,
}

/// A live stream in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connection {
    /// Its client id.
    pub client_id: ClientId,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// By which signing in it came: the same for all streams of one browser.
    pub login_id: Option<LoginId>,
    /// The topics it is in.
    pub topics: Vec<Topic>,
    /// When it was accepted, in Unix milliseconds.
    pub connected_at: u64,
    /// Events that wait for its transport.
    pub waiting: usize,
    /// Events that its transport took.
    pub delivered: u64,
}

/// Part of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionPage {
    /// The streams.
    pub items: Vec<Connection>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<u32>,
}

impl<C> Default for ConnectionQuery<C> {
    fn default() -> Self {
        Self::first(0)
    }
}

impl<C> ConnectionQuery<C> {
    /// The first so many of all.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self {
            user: None,
            topic: None,
            cursor: None,
            limit,
        }
    }

    /// Only those of a user.
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Only those in a topic.
    #[must_use]
    pub fn topic(mut self, topic: Topic) -> Self {
        self.topic = Some(topic);
        self
    }

    /// From where the page before ended.
    #[must_use]
    pub fn after(mut self, cursor: Option<C>) -> Self {
        self.cursor = cursor;
        self
    }
}

impl Manager {
    /// Lists live streams, in an order that stays while they live. A page is of one moment, a
    /// listing of several pages is not: streams that come or go meanwhile are in it or not.
    #[must_use]
    pub fn connections(&self, query: &ConnectionQuery) -> ConnectionPage {
        let order = self.inner.order.lock();
        let from = query.cursor.unwrap_or(0);
        let of = (query.user.as_ref(), query.topic.as_ref());
        let mut places = order.candidates(of, from, query.limit.saturating_add(1));
        places.truncate(query.limit.saturating_add(1));
        let next_cursor = (places.len() > query.limit).then(|| places.pop()).flatten();
        let slots = places
            .iter()
            .filter_map(|place| order.registry.streams.get(*place));
        let items = slots.map(|slot| Connection::of(&order, slot)).collect();
        ConnectionPage { items, next_cursor }
    }

    /// A live stream; `None` when it is not live.
    #[must_use]
    pub fn connection(&self, client: ClientId) -> Option<Connection> {
        let order = self.inner.order.lock();
        let slot = order.registry.streams.get(order.registry.place(client)?)?;
        Some(Connection::of(&order, slot))
    }

    /// How many live streams there are in a target, of this moment. Costs the same at any number.
    #[must_use]
    pub fn count(&self, target: &Target) -> usize {
        let order = self.inner.order.lock();
        match target {
            Target::Client(client) => order.registry.place(*client).iter().len(),
            target => order.size_of(target),
        }
    }

    /// How many streams each user has: those users with the most, at most `limit`, in falling
    /// order.
    ///
    /// Looks at every user, in steps between which others go on.
    pub async fn connections_by_user(&self, limit: usize) -> Vec<(UserId, usize)> {
        let mut most = BinaryHeap::new();
        let mut from = Some(0);
        while let Some(start) = from {
            from = self.inner.order.lock().count_users(start, limit, &mut most);
            yield_now().await;
        }
        let users = most
            .into_sorted_vec()
            .into_iter()
            .map(|Reverse((count, Reverse(user)))| (user, count));
        // Who got a second stream meanwhile may be found twice; the larger number comes first.
        let mut seen = HashSet::new();
        users
            .filter(|(user, _)| seen.insert(user.clone()))
            .collect()
    }
}

impl Connection {
    fn of(order: &Sequencer, slot: &Slot) -> Self {
        let state = slot.stream.queue.lock();
        Self {
            client_id: slot.stream.id,
            user_id: slot.stream.user.clone(),
            login_id: order.registry.login(slot.stream.place),
            topics: order.registry.topics_of(slot),
            connected_at: slot.stream.connected_at,
            waiting: state.waiting(),
            delivered: state.delivered,
        }
    }
}
