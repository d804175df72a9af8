//! How a connection learns that its server stops.

use std::{
    future::poll_fn,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use crate::serve::{
    conn_state::Side,
    connections::Evicted,
    shutdown::{Phase, Shutdown},
};

impl Shutdown {
    /// Adds a connection from an address. At the bounds of connections without a stream another one is closed.
    pub(crate) fn listener(&self, address: IpAddr) -> PhaseListener {
        let group = self.0.bounds.group_of(address);
        let side = |key| Side::new(Arc::clone(&self.0), key);
        let (side, evicted) = self.0.connections().insert(group, &self.0.bounds, side);
        evicted.into_iter().for_each(Evicted::announce);
        PhaseListener { side, registered: false }
    }
}

/// A connection's side. Small, since every connection has one; lets the server know when it is dropped.
#[derive(Debug)]
pub(crate) struct PhaseListener {
    side: Arc<Side>,
    registered: bool,
}

impl PhaseListener {
    pub(crate) fn side(&self) -> &Arc<Side> {
        &self.side
    }

    /// The connection has no task any more, and counts until [`Shutdown::departed`] is told.
    pub(crate) fn outlive(&self) {
        self.side.shared().take_seat();
    }

    /// For another task from here on.
    pub(crate) fn moved(mut self) -> Self {
        self.registered = false;
        self
    }

    /// Resolves when the connection is to end: with its server, or to make room for another.
    pub(crate) async fn stopping(&mut self) {
        poll_fn(|cx| match self.poll_phase(cx) {
            Phase::Serving if !self.side.is_evicted() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// The phase; the task is woken when it changes.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        // The connection is a task of its own, so its waker stays the same until it is moved.
        if !self.registered {
            self.registered = true;
            self.side.shared().connections().set_waker(&*self.side, cx.waker().clone());
        }
        self.side.shared().phase()
    }
}

impl Drop for PhaseListener {
    fn drop(&mut self) {
        let mut connections = self.side.shared().connections();
        let removed = connections.remove(&*self.side);
        self.side.shared().left(&connections);
        drop(connections);
        drop(removed);
    }
}
