//! The state of a client, and its orders, shared by its task and its handle.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use crate::{journal::Journal, observation::StopReason};

/// The orders of the test to a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) address: SocketAddr,
    pub(crate) departure: Departure,
    /// Number of orders to drop the connection.
    pub(crate) drops: u64,
    pub(crate) is_paused: bool,
    /// Number of pauses that were ended.
    pub(crate) wakes: u64,
    pub(crate) is_stopped: bool,
}

/// The known state of a client, shared by its task and its handle.
#[derive(Debug, Clone)]
pub(crate) struct SharedState(Arc<Mutex<ClientState>>);

#[derive(Debug)]
pub(crate) struct ClientState {
    pub(crate) journal: Journal,
    pub(crate) status: Status,
}

/// The way in which a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Departure {
    /// Closed: FIN, or RST if something is unread.
    Close,
    /// Reset: RST.
    Reset,
    /// Never read from again, and not closed before the client's next connection is left in this
    /// way or the client stops. A server observes the same of a client that vanished: the client's
    /// system still acknowledges bytes that fit into the socket's buffer.
    Vanish,
}

/// The current activity of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The client is making a connection.
    Connecting,
    /// The client is reading a stream.
    Open,
    /// The client is waiting for the next attempt.
    Waiting,
    /// The client is paused.
    Paused,
    /// The client will not reconnect.
    Stopped(StopReason),
}

/// The status of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Current activity.
    pub phase: Phase,
    /// Number of streams that the client has had, counted by `connection` events.
    pub connects: u64,
    /// Number of app events that the client has received.
    pub events: u64,
    /// Number of gaps that the client has received.
    pub gaps: u64,
    /// Last event id; empty for none.
    pub last_event_id: String,
}

impl Orders {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            departure: Departure::Close,
            drops: 0,
            is_paused: false,
            wakes: 0,
            is_stopped: false,
        }
    }
}

impl SharedState {
    pub(crate) fn new(last_event_id: &str) -> Self {
        let status = Status {
            phase: Phase::Connecting,
            connects: 0,
            events: 0,
            gaps: 0,
            last_event_id: last_event_id.to_owned(),
        };
        Self(Arc::new(Mutex::new(ClientState {
            journal: Journal::new(Instant::now()),
            status,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ClientState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
