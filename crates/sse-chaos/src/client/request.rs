//! The settings of a client.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;
use sse_testkit::{Decoded, RawRequest};

/// How a client reaches its server, and how it comes back.
#[derive(Debug, Clone)]
#[must_use = "nothing happens before `start`"]
pub struct ClientRequest {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) last_event_id: String,
    pub(crate) base: Duration,
    pub(crate) most: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) stale_after: Option<Duration>,
    pub(crate) seed: u64,
    pub(crate) number: fn(&Decoded) -> Option<u64>,
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
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The last event id to begin with; none unless said otherwise.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// The longest wait after a first failure, unless the server says `retry:`, and the longest of
    /// all: 1 s and 30 s unless said otherwise.
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
    /// Unless said otherwise 2.5 times the heartbeat interval that the server tells, in
    /// `connection` or the header `X-SSE-Heartbeat-Ms`, and for ever if it tells none.
    pub fn stale_after(mut self, silence: Duration) -> Self {
        self.stale_after = Some(silence);
        self
    }

    /// What the waits are drawn from, so that they can be had again; 0 unless said otherwise.
    /// Clients should have different ones.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the number in an event's data is. Unless said otherwise the data is one, or a JSON
    /// object with a member `number`.
    pub fn numbered_by(mut self, number: fn(&Decoded) -> Option<u64>) -> Self {
        self.number = number;
        self
    }

    pub(crate) fn to_raw(&self, address: SocketAddr, last_event_id: &str) -> RawRequest {
        let request = RawRequest::get(address, &*self.path);
        let request = self.headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        if last_event_id.is_empty() {
            request
        } else {
            request.header("Last-Event-ID", last_event_id)
        }
    }
}

/// The number in an event's data, unless the test knows better.
fn number(event: &Decoded) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        number: u64,
    }

    let whole = event.data.parse().ok();
    whole.or_else(|| {
        serde_json::from_str(&event.data)
            .ok()
            .map(|Numbered { number }| number)
    })
}
