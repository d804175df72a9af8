//! The state of a client, and the orders that it has, shared by its task and its handle.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use crate::{journal::Journal, observation::Stop};

/// What the test wants of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) address: SocketAddr,
    pub(crate) departure: Departure,
    /// How often it was told to lose its connection.
    pub(crate) drops: u64,
    pub(crate) is_paused: bool,
    /// How often a pause was ended.
    pub(crate) wakes: u64,
    pub(crate) is_stopped: bool,
}

/// What is known of a client, shared by its task and its handle.
#[derive(Debug, Clone)]
pub(crate) struct Known(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) journal: Journal,
    pub(crate) status: Status,
}

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Departure {
    /// Closed: FIN, or RST if something is unread.
    Close,
    /// Reset: RST.
    Reset,
    /// Never read from again, and not closed before the client's next connection is left in this
    /// way or the client stops: what a server sees of a client that vanished. Its system still
    /// acknowledges what fits into the socket's buffer.
    Vanish,
}

/// What a client is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It makes a connection.
    Connecting,
    /// It reads a stream.
    Open,
    /// It waits for the next attempt.
    Waiting,
    /// It is paused.
    Paused,
    /// It will not connect again.
    Stopped(Stop),
}

/// How a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// How many streams it has had: `connection` events.
    pub connects: u64,
    /// How many events of apps it has had.
    pub events: u64,
    /// How many gaps it was told of.
    pub gaps: u64,
    /// Its last event id; empty for none.
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

impl Known {
    pub(crate) fn new(last_event_id: &str) -> Self {
        let status = Status {
            phase: Phase::Connecting,
            connects: 0,
            events: 0,
            gaps: 0,
            last_event_id: last_event_id.to_owned(),
        };
        Self(Arc::new(Mutex::new(State {
            journal: Journal::new(Instant::now()),
            status,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
