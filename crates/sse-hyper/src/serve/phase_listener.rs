//! Notification of a connection that its server stops.

use std::{
    future::poll_fn,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use crate::serve::{
    conn_state::ConnState,
    connections::Evicted,
    shutdown::{ServerPhase, Shutdown},
};

impl Shutdown {
    /// Adds a connection from an address. At the bounds of connections without a stream, another
    /// connection is closed.
    pub(crate) fn listener(&self, address: IpAddr) -> PhaseListener {
        let group = self.0.bounds.group_of(address);
        let conn_state = |key| ConnState::new(Arc::clone(&self.0), key);
        let (conn_state, evicted) = self
            .0
            .connections()
            .insert(group, &self.0.bounds, conn_state);
        evicted.into_iter().for_each(Evicted::announce);
        PhaseListener {
            conn_state,
            registered: false,
        }
    }
}

/// The connection's side of a [`Shutdown`]. The listener is small, because every connection has
/// one. Dropping the listener notifies the server.
#[derive(Debug)]
pub(crate) struct PhaseListener {
    conn_state: Arc<ConnState>,
    registered: bool,
}

impl PhaseListener {
    pub(crate) fn conn_state(&self) -> &Arc<ConnState> {
        &self.conn_state
    }

    /// Notes that the connection no longer has a task. The connection still counts until the
    /// function that [`Shutdown::departed`] returns is called.
    pub(crate) fn outlive(&self) {
        self.conn_state.shared().take_seat();
    }

    /// Prepares the listener for another task.
    pub(crate) fn moved(mut self) -> Self {
        self.registered = false;
        self
    }

    /// Resolves when the connection is to end, either with its server or to make room for another.
    pub(crate) async fn stopping(&mut self) {
        poll_fn(|cx| match self.poll_phase(cx) {
            ServerPhase::Serving if !self.conn_state.is_evicted() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Returns the phase. The task is woken when the phase changes.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> ServerPhase {
        // Each connection is its own task, so its waker stays the same until the connection is
        // moved.
        if !self.registered {
            self.registered = true;
            self.conn_state
                .shared()
                .connections()
                .set_waker(&*self.conn_state, cx.waker().clone());
        }
        self.conn_state.shared().phase()
    }
}

impl Drop for PhaseListener {
    fn drop(&mut self) {
        let mut connections = self.conn_state.shared().connections();
        let removed = connections.remove(&*self.conn_state);
        self.conn_state.shared().left(&connections);
        drop(connections);
        drop(removed);
    }
}
