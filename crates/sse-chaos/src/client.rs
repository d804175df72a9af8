//! A client that comes back.

mod delay;
mod listener;
mod session;

use std::{
    net::SocketAddr,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use sse_testkit::{Decoded, RawRequest};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{client::session::Session, journal::Journal, observation::Stop};

/// How a client reaches its server, and how it comes back.
#[derive(Debug, Clone)]
#[must_use = "nothing happens before `start`"]
pub struct ClientRequest {
    address: SocketAddr,
    path: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    last_event_id: String,
    base: Duration,
    most: Duration,
    connect_timeout: Duration,
    stale_after: Option<Duration>,
    seed: u64,
    number: fn(&Decoded) -> Option<u64>,
}

/// A client of an event stream that comes back as a browser does, cheap enough for thousands of them in one process.
///
/// It is a task of its own, which ends when this is dropped. It keeps the last event id as the WHATWG standard says (HTML, section 9.2) and sends
/// it when it comes back. It comes back after the end of a stream, a connection that broke or was not made, silence, and the statuses 408, 425, 429 and
/// 5xx; it stops at 204, any other status, an answer that is no event stream, and a `disconnected` with `reconnect: false`.
///
/// What it waits before that is what our browser client does: at least what `Retry-After` says, or `retry:` after a first failure, and up to a quarter more; else
/// anything up to the base (`retry:`, else [`backoff`](ClientRequest::backoff)) doubled for each failure in a row.
#[derive(Debug)]
pub struct Client {
    orders: watch::Sender<Orders>,
    known: Known,
    task: JoinHandle<()>,
}

/// What the test wants of a client.
#[derive(Debug, Clone, Copy)]
struct Orders {
    address: SocketAddr,
    departure: Departure,
    /// How often it was told to lose its connection.
    drops: u64,
    is_paused: bool,
    /// How often a pause was ended.
    wakes: u64,
    is_stopped: bool,
}

/// What is known of a client, shared by its task and its handle.
#[derive(Debug, Clone)]
struct Known(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    journal: Journal,
    status: Status,
}

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
        Self {
            address,
            path: path.into(),
            headers: Vec::new(),
            last_event_id: String::new(),
            base: Duration::from_secs(1),
            most: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(20),
            stale_after: None,
            seed: 0,
            number,
        }
    }

    /// Adds a header field, sent with every attempt.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The last event id to begin with; none unless said otherwise.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// The longest wait after a first failure, unless the server says `retry:`, and the longest of all: 1 s and 30 s unless said otherwise.
    ///
    /// Never less than 20 ms are waited.
    pub fn backoff(mut self, base: Duration, most: Duration) -> Self {
        (self.base, self.most) = (base, most);
        self
    }

    /// How long a connection may take until its head has come: 20 s unless said otherwise.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long nothing may come, not even a comment, until the connection is taken for dead.
    ///
    /// Unless said otherwise 2.5 times the heartbeat interval that the server tells, in `connection` or the header `X-SSE-Heartbeat-Ms`, and for ever
    /// if it tells none.
    pub fn stale_after(mut self, silence: Duration) -> Self {
        self.stale_after = Some(silence);
        self
    }

    /// What the waits are drawn from, so that they can be had again; 0 unless said otherwise. Clients should have different ones.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the number in an event's data is. Unless said otherwise the data is one, or a JSON object with a member `number`.
    pub fn numbered_by(mut self, number: fn(&Decoded) -> Option<u64>) -> Self {
        self.number = number;
        self
    }

    /// Begins to connect. Must be called within a tokio runtime that has IO and time enabled.
    #[must_use = "a client that is dropped ends"]
    pub fn start(self) -> Client {
        let known = Known::new(&self.last_event_id);
        let orders = watch::Sender::new(Orders::new(self.address));
        let session = Session::new(self, known.clone());
        let task = tokio::spawn(session.run(orders.subscribe()));
        Client { orders, known, task }
    }

    fn to_raw(&self, address: SocketAddr, last_event_id: &str) -> RawRequest {
        let request = RawRequest::get(address, &*self.path);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        if last_event_id.is_empty() { request } else { request.header("Last-Event-ID", last_event_id) }
    }
}

impl Client {
    /// How it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.known.lock().status.clone()
    }

    /// A copy of its journal as it is now.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.known.lock().journal.clone()
    }

    /// Leads its next attempts elsewhere. A connection that it has stays.
    pub fn set_address(&self, address: SocketAddr) {
        self.orders.send_modify(|orders| orders.address = address);
    }

    /// Loses its connection and comes back as after any other loss. Nothing happens if it has none and makes none.
    pub fn drop_connection(&self, departure: Departure) {
        self.orders.send_modify(|orders| {
            orders.departure = departure;
            orders.drops += 1;
        });
    }

    /// Loses its connection, and stays away until [`unpause`](Self::unpause).
    pub fn pause(&self, departure: Departure) {
        self.orders.send_modify(|orders| {
            orders.departure = departure;
            orders.drops += 1;
            orders.is_paused = true;
        });
    }

    /// Ends a pause: it connects at once. Nothing happens if there is none.
    pub fn unpause(&self) {
        self.orders.send_if_modified(|orders| {
            orders.wakes += u64::from(orders.is_paused);
            std::mem::take(&mut orders.is_paused)
        });
    }

    /// Stops, closes its connection, and gives its journal.
    ///
    /// Cancel safe: a dropped call stops the client, too.
    ///
    /// # Panics
    ///
    /// If the client's task panicked, with what it did.
    pub async fn stop(mut self) -> Journal {
        self.orders.send_modify(|orders| {
            orders.departure = Departure::Close;
            orders.is_stopped = true;
        });
        if let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            resume_unwind(error.into_panic());
        }
        self.journal()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Orders {
    fn new(address: SocketAddr) -> Self {
        Self { address, departure: Departure::Close, drops: 0, is_paused: false, wakes: 0, is_stopped: false }
    }
}

impl Known {
    fn new(last_event_id: &str) -> Self {
        let status = Status {
            phase: Phase::Connecting,
            connects: 0,
            events: 0,
            gaps: 0,
            last_event_id: last_event_id.to_owned(),
        };
        Self(Arc::new(Mutex::new(State { journal: Journal::new(Instant::now()), status })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number in an event's data, unless the test knows better.
fn number(event: &Decoded) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        number: u64,
    }

    let whole = event.data.parse().ok();
    whole.or_else(|| serde_json::from_str(&event.data).ok().map(|Numbered { number }| number))
}
