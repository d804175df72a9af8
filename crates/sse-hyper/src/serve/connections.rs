//! All connections of a server that have a task, and the bounds of those without a stream.

use std::{fmt, net::IpAddr, ptr, sync::Arc, task::Waker};

use slab::Slab;
use tracing::warn;

use crate::serve::{
    log_limit::LogLimit,
    streamless::{Group, Scope, Streamless},
};

/// Bounds of the connections without a stream.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) streamless: usize,
    pub(crate) streamless_per_address: usize,
    /// Returns whether an address is that of a proxy, to which the bound per address does not
    /// apply.
    pub(crate) is_proxy: Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>,
}

impl Bounds {
    pub(crate) fn group_of(&self, address: IpAddr) -> Group {
        let is_proxy = self
            .is_proxy
            .as_ref()
            .is_some_and(|is_proxy| is_proxy(address.to_canonical()));
        if is_proxy {
            Group::Proxies
        } else {
            Group::of(address)
        }
    }

    /// The scope in which another connection of a group needs one to be closed.
    fn exceeded(&self, streamless: &Streamless, group: Group) -> Option<Scope> {
        if group != Group::Proxies && streamless.len_of(group) >= self.streamless_per_address {
            Some(Scope::Of(group))
        } else if streamless.len() >= self.streamless {
            Some(Scope::All)
        } else {
            None
        }
    }
}

impl fmt::Debug for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            streamless,
            streamless_per_address,
            ..
        } = self;
        f.debug_struct("Bounds")
            .field("streamless", streamless)
            .field("streamless_per_address", streamless_per_address)
            .finish_non_exhaustive()
    }
}

/// A connection, as far as it may be closed to make room for another.
pub(crate) trait Evict: fmt::Debug + Send + Sync {
    /// The place among the server's connections.
    fn key(&self) -> usize;

    /// Returns whether a request is in flight, or was since this was last asked.
    fn take_used(&self) -> bool;

    /// Has it closed.
    fn evict(&self);
}

/// The connections that have a task.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    places: Slab<Place>,
    streamless: Streamless,
    evictions: LogLimit,
}

#[derive(Debug)]
struct Place {
    connection: Arc<dyn Evict>,
    group: Group,
    /// `None` until the task was polled first.
    waker: Option<Waker>,
}

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether another connection of a group would be at the cost of one that there is.
    pub(crate) fn is_full_for(&self, group: Group, bounds: &Bounds) -> bool {
        bounds.exceeded(&self.streamless, group).is_some()
    }

    /// Adds a connection without a stream. Returns it, and the one that is closed for it.
    pub(crate) fn insert<C: Evict + 'static>(
        &mut self,
        group: Group,
        bounds: &Bounds,
        connection: impl FnOnce(usize) -> C,
    ) -> (Arc<C>, Option<Evicted>) {
        let place = self.places.vacant_entry();
        let key = place.key();
        let connection = Arc::new(connection(key));
        place.insert(Place {
            connection: Arc::<C>::clone(&connection),
            group,
            waker: None,
        });
        (connection, self.insert_streamless(key, group, bounds))
    }

    /// Removes a connection. Returns what is to be dropped once nothing is locked.
    pub(crate) fn remove(
        &mut self,
        connection: &dyn Evict,
    ) -> Option<(Arc<dyn Evict>, Option<Waker>)> {
        self.place(connection)?;
        self.streamless.remove(connection.key());
        let place = self.places.try_remove(connection.key())?;
        if self.places.is_empty() {
            self.places.shrink_to_fit();
        }
        Some((place.connection, place.waker))
    }

    pub(crate) fn set_waker(&mut self, connection: &dyn Evict, waker: Waker) {
        if let Some(place) = self.place(connection) {
            place.waker = Some(waker);
        }
    }

    pub(crate) fn waker(&mut self, connection: &dyn Evict) -> Option<Waker> {
        self.place(connection)?.waker.clone()
    }

    pub(crate) fn wakers(&self) -> Vec<Waker> {
        self.places
            .iter()
            .filter_map(|(_, place)| place.waker.clone())
            .collect()
    }

    /// The connection carries a stream, and is no longer bounded here.
    pub(crate) fn stream_began(&mut self, connection: &dyn Evict) {
        if self.place(connection).is_some() {
            self.streamless.remove(connection.key());
        }
    }

    /// The connection carries a stream no more. Returns the one that is closed for it.
    pub(crate) fn streams_ended(
        &mut self,
        connection: &dyn Evict,
        bounds: &Bounds,
    ) -> Option<Evicted> {
        let group = self.place(connection)?.group;
        self.insert_streamless(connection.key(), group, bounds)
    }

    /// Chooses a connection without a stream to be closed; `None` if there is no such connection.
    pub(crate) fn evict(&mut self, scope: Scope) -> Option<Evicted> {
        let places = &self.places;
        let key = self.streamless.victim(scope, |key| {
            places
                .get(key)
                .is_some_and(|place| place.connection.take_used())
        })?;
        self.streamless.remove(key);
        let place = self.places.get(key)?;
        place.connection.evict();
        Some(Evicted {
            waker: place.waker.clone(),
            due: self.evictions.count(),
        })
    }

    fn insert_streamless(&mut self, key: usize, group: Group, bounds: &Bounds) -> Option<Evicted> {
        let evicted = bounds
            .exceeded(&self.streamless, group)
            .and_then(|scope| self.evict(scope));
        self.streamless.insert(key, group);
        evicted
    }

    /// A key is given to another connection once the first is gone, so the connection itself is
    /// compared as well.
    fn place(&mut self, connection: &dyn Evict) -> Option<&mut Place> {
        self.places
            .get_mut(connection.key())
            .filter(|place| ptr::addr_eq(&raw const *place.connection, connection))
    }
}

/// A connection that was chosen to be closed, which it is once it is announced and nothing is
/// locked.
#[derive(Debug)]
#[must_use = "the connection does not learn of it otherwise"]
pub(crate) struct Evicted {
    /// `None` if its task was never polled, which looks then.
    waker: Option<Waker>,
    /// Number of connections closed since the last message, if one is due.
    due: Option<u64>,
}

impl Evicted {
    pub(crate) fn announce(self) {
        if let Some(connections) = self.due {
            warn!(
                connections,
                "closed connections without a stream to make room"
            );
        }
        self.waker.into_iter().for_each(Waker::wake);
    }
}
