//! All connections of a server that have a task, and the bounds of those without a stream.

use std::{fmt, net::IpAddr, ptr, sync::Arc, task::Waker};

use slab::Slab;
use tracing::warn;

use crate::serve::{
    log_limit::LogLimit,
    streamless::{AddressGroup, Scope, Streamless},
};

/// Bounds of the connections without a stream.
#[derive(Clone)]
pub(crate) struct ConnectionBounds {
    pub(crate) streamless: usize,
    pub(crate) streamless_per_address: usize,
    /// Returns `true` if an address belongs to a proxy, to which the bound per address does not
    /// apply.
    pub(crate) is_proxy: Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>,
}

impl ConnectionBounds {
    pub(crate) fn group_of(&self, address: IpAddr) -> AddressGroup {
        let is_proxy = self
            .is_proxy
            .as_ref()
            .is_some_and(|is_proxy| is_proxy(address.to_canonical()));
        if is_proxy {
            AddressGroup::Proxies
        } else {
            AddressGroup::of(address)
        }
    }

    /// Returns the scope in which a connection must be closed before another connection of a group
    /// is added.
    fn exceeded(&self, streamless: &Streamless, group: AddressGroup) -> Option<Scope> {
        if group != AddressGroup::Proxies && streamless.len_of(group) >= self.streamless_per_address
        {
            Some(Scope::Of(group))
        } else if streamless.len() >= self.streamless {
            Some(Scope::All)
        } else {
            None
        }
    }
}

impl fmt::Debug for ConnectionBounds {
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

/// A connection that can be closed to make room for another.
pub(crate) trait Evict: fmt::Debug + Send + Sync {
    /// Returns the index among the server's connections.
    fn key(&self) -> usize;

    /// Returns `true` if a request is in flight, or was in flight since the last call.
    fn take_used(&self) -> bool;

    /// Closes the connection.
    fn evict(&self);
}

/// The connections that have a task.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    places: Slab<ConnectionSlot>,
    streamless: Streamless,
    evictions: LogLimit,
}

#[derive(Debug)]
struct ConnectionSlot {
    connection: Arc<dyn Evict>,
    group: AddressGroup,
    /// `None` until the first poll of the task.
    waker: Option<Waker>,
}

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns `true` if another connection of a group would cause an eviction.
    pub(crate) fn is_full_for(&self, group: AddressGroup, bounds: &ConnectionBounds) -> bool {
        bounds.exceeded(&self.streamless, group).is_some()
    }

    /// Adds a connection without a stream. Returns the connection, and the connection evicted for
    /// it.
    pub(crate) fn insert<C: Evict + 'static>(
        &mut self,
        group: AddressGroup,
        bounds: &ConnectionBounds,
        connection: impl FnOnce(usize) -> C,
    ) -> (Arc<C>, Option<Evicted>) {
        let place = self.places.vacant_entry();
        let key = place.key();
        let connection = Arc::new(connection(key));
        place.insert(ConnectionSlot {
            connection: Arc::<C>::clone(&connection),
            group,
            waker: None,
        });
        (connection, self.insert_streamless(key, group, bounds))
    }

    /// Removes a connection. Returns the values that must be dropped after all locks are released.
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

    /// Notes that the connection carries a stream, and is no longer bounded here.
    pub(crate) fn stream_began(&mut self, connection: &dyn Evict) {
        if self.place(connection).is_some() {
            self.streamless.remove(connection.key());
        }
    }

    /// Notes that the connection no longer carries a stream. Returns the connection evicted for it.
    pub(crate) fn streams_ended(
        &mut self,
        connection: &dyn Evict,
        bounds: &ConnectionBounds,
    ) -> Option<Evicted> {
        let group = self.place(connection)?.group;
        self.insert_streamless(connection.key(), group, bounds)
    }

    /// Evicts a connection without a stream. Returns `None` if every connection carries a stream.
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

    fn insert_streamless(
        &mut self,
        key: usize,
        group: AddressGroup,
        bounds: &ConnectionBounds,
    ) -> Option<Evicted> {
        let evicted = bounds
            .exceeded(&self.streamless, group)
            .and_then(|scope| self.evict(scope));
        self.streamless.insert(key, group);
        evicted
    }

    /// After a connection is removed, its key is reused. So the connection itself is compared as
    /// well.
    fn place(&mut self, connection: &dyn Evict) -> Option<&mut ConnectionSlot> {
        self.places
            .get_mut(connection.key())
            .filter(|place| ptr::addr_eq(&raw const *place.connection, connection))
    }
}

/// A connection that was chosen to be closed. The connection is notified by `announce`, after all
/// locks are released.
#[derive(Debug)]
#[must_use = "the connection does not learn of it otherwise"]
pub(crate) struct Evicted {
    /// `None` if the task was never polled. The first poll then checks for the eviction.
    waker: Option<Waker>,
    /// Number of connections closed since the last message, if a message is due.
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
