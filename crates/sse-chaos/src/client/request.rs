//! The settings of a client.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;
use sse_testkit::{Decoded, RawRequest};

/// The settings of a client: its server, and its reconnects.
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
    /// Creates a `GET` of `path`, which may have a query.
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

    /// Sets the initial last event id; none by default.
    pub fn last_event_id(mut self, id: impl Into<String>) -> Self {
        self.last_event_id = id.into();
        self
    }

    /// Sets the longest delay after a first failure, unless the server sends `retry:`, and the
    /// longest delay of all: 1 s and 30 s by default.
    ///
    /// A delay is never less than 20 ms.
    pub fn backoff(mut self, base: Duration, most: Duration) -> Self {
        (self.base, self.most) = (base, most);
        self
    }

    /// Sets the timeout from the start of a connection to the end of the head: 20 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets the time without any bytes, not even a comment, after which the connection is taken for
    /// dead.
    ///
    /// By default 2.5 times the heartbeat interval that the server announces, in `connection` or
    /// the header `X-SSE-Heartbeat-Ms`; unlimited if the server announces none.
    pub fn stale_after(mut self, silence: Duration) -> Self {
        self.stale_after = Some(silence);
        self
    }

    /// Sets a seed from which the delays are drawn, so that they are reproducible; 0 by default.
    /// Clients should have different seeds.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the function that extracts the number from an event's data. By default the data is a
    /// number, or a JSON object with a member `number`.
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

/// Returns the number in an event's data by default.
fn number(event: &Decoded) -> Option<u64> {
    #[derive(Deserialize)]
    struct NumberedData {
        number: u64,
    }

    let whole = event.data.parse().ok();
    whole.or_else(|| {
        serde_json::from_str(&event.data)
            .ok()
            .map(|NumberedData { number }| number)
    })
}
