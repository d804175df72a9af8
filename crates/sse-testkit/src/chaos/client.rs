//! A client that comes back.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Journal, Stop};
use crate::Decoded;

/// How a client reaches its server, and how it comes back.
#[derive(Debug, Clone)]
#[must_use = "nothing happens before `start`"]
pub struct ClientRequest {}

/// A client of an event stream that comes back as a browser does, cheap enough for thousands of them in one process.
///
/// It is a task of its own, which ends when this is dropped. It keeps the last event id as the WHATWG standard says (HTML, section 9.2) and sends
/// it when it comes back. It comes back after the end of a stream, a connection that broke or was not made, silence, and the statuses 408, 425, 429 and
/// 5xx; it stops at 204, any other status, an answer that is no event stream, and a `disconnected` with `reconnect: false`.
///
/// What it waits before that is what our browser client does: at least what `Retry-After` says, or `retry:` after a first failure, and up to a quarter more; else
/// anything up to the base (`retry:`, else [`backoff`](ClientRequest::backoff)) doubled for each failure in a row.
#[derive(Debug)]
pub struct Client {}

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Departure {
    /// Closed: FIN, or RST if something is unread.
    Close,
    /// Reset: RST.
    Reset,
    /// Never read from again, and not closed before the client's next connection is left in this way or the client stops: what a server sees of a client that vanished. Its
    /// system still acknowledges what fits into the socket's buffer.
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

impl ClientRequest {
    /// A `GET` of `path`, which may have a query.
    pub fn get(address: SocketAddr, path: impl Into<String>) -> Self {
        let _ = (address, path.into());
        todo!()
    }

    /// Adds a header field, sent with every attempt.
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let _ = (name.as_ref(), value.as_ref());
        todo!()
    }

    /// The last event id to begin with; none unless said otherwise.
    pub fn last_event_id(self, id: impl Into<String>) -> Self {
        let _ = id.into();
        todo!()
    }

    /// The longest wait after a first failure, unless the server says `retry:`, and the longest of all: 1 s and 30 s unless said otherwise. Never less than 20 ms are waited.
    pub fn backoff(self, base: Duration, most: Duration) -> Self {
        let _ = (base, most);
        todo!()
    }

    /// How long a connection may take until its head has come: 20 s unless said otherwise.
    pub fn connect_timeout(self, limit: Duration) -> Self {
        let _ = limit;
        todo!()
    }

    /// How long nothing may come, not even a comment, until the connection is taken for dead.
    ///
    /// Unless said otherwise 2.5 times the heartbeat interval that the server tells, in `connection` or the header `X-SSE-Heartbeat-Ms`, and for ever
    /// if it tells none.
    pub fn stale_after(self, silence: Duration) -> Self {
        let _ = silence;
        todo!()
    }

    /// What the waits are drawn from, so that they can be had again; 0 unless said otherwise. Clients should have different ones.
    pub fn seed(self, seed: u64) -> Self {
        let _ = seed;
        todo!()
    }

    /// Where the number in an event's data is. Unless said otherwise the data is one, or a JSON object with a member `number`.
    pub fn numbered_by(self, number: fn(&Decoded) -> Option<u64>) -> Self {
        let _ = number;
        todo!()
    }

    /// Begins to connect. Must be called within a tokio runtime that has IO and time enabled.
    #[must_use]
    pub fn start(self) -> Client {
        todo!()
    }
}

impl Client {
    /// How it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        todo!()
    }

    /// A copy of its journal as it is now.
    #[must_use]
    pub fn journal(&self) -> Journal {
        todo!()
    }

    /// Leads its next attempts elsewhere. A connection that it has stays.
    pub fn set_address(&self, address: SocketAddr) {
        let _ = address;
        todo!()
    }

    /// Loses its connection, if there is one, and comes back as after any other loss.
    pub fn drop_connection(&self, departure: Departure) {
        let _ = departure;
        todo!()
    }

    /// Loses its connection, and stays away until [`unpause`](Self::unpause).
    pub fn pause(&self, departure: Departure) {
        let _ = departure;
        todo!()
    }

    /// Ends a pause: it connects at once. Nothing happens if there is none.
    pub fn unpause(&self) {
        todo!()
    }

    /// Stops, closes its connection, and gives its journal.
    ///
    /// Cancel safe: a dropped call stops the client, too.
    pub async fn stop(self) -> Journal {
        todo!()
    }
}
