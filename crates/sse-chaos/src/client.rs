//! A client that reconnects.

mod delay;
mod listener;
pub(crate) mod request;
mod session;
pub(crate) mod state;

use std::{net::SocketAddr, panic::resume_unwind};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    client::{
        request::ClientRequest,
        session::ClientSession,
        state::{Departure, Orders, SharedState, Status},
    },
    journal::Journal,
};

/// A client of an event stream that reconnects as a browser does, cheap enough for thousands of
/// clients in one process.
///
/// The client is a task that ends when this handle is dropped. It keeps the last event id as the
/// WHATWG standard specifies (HTML, section 9.2) and sends it when it reconnects. It reconnects
/// after the end of a stream, a broken or failed connection, silence, and the statuses 408, 425,
/// 429 and 5xx. It stops at 204, any other status, a response that is not an event stream, and a
/// `disconnected` with `reconnect: false`.
///
/// The delay before a reconnect is that of the browser client in `sse-browser`, except that its
/// minimum is 20 ms. With a `Retry-After`, or a `retry:` after a first failure, the delay is at
/// least that value (an hour at most) and up to a quarter more. Otherwise the delay is anything up
/// to the base (`retry:`, else that of [`backoff`](ClientRequest::backoff)), which doubles with
/// each further failure in a row up to the maximum of `backoff`.
#[derive(Debug)]
pub struct Client {
    orders: watch::Sender<Orders>,
    known: SharedState,
    task: JoinHandle<()>,
}

impl ClientRequest {
    /// Starts a client, which connects at once. Must be called within a tokio runtime that has IO
    /// and time enabled.
    #[must_use = "a client that is dropped ends"]
    pub fn start(self) -> Client {
        let known = SharedState::new(&self.last_event_id);
        let orders = watch::Sender::new(Orders::new(self.address));
        let session = ClientSession::new(self, known.clone());
        let task = tokio::spawn(session.run(orders.subscribe()));
        Client {
            orders,
            known,
            task,
        }
    }
}

impl Client {
    /// Returns the client's current status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.known.lock().status.clone()
    }

    /// Returns a copy of the client's current journal.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.known.lock().journal.clone()
    }

    /// Directs the next connection attempts to another address. An existing connection stays.
    pub fn set_address(&self, address: SocketAddr) {
        self.orders.send_modify(|orders| orders.address = address);
    }

    /// Drops the connection in this way, and reconnects as after any other loss. Does nothing if
    /// the client is neither connected nor connecting.
    pub fn drop_connection(&self, departure: Departure) {
        self.orders.send_modify(|orders| {
            orders.departure = departure;
            orders.drops += 1;
        });
    }

    /// Drops the connection in this way, and stays disconnected until [`unpause`](Self::unpause).
    pub fn pause(&self, departure: Departure) {
        self.orders.send_modify(|orders| {
            orders.departure = departure;
            orders.drops += 1;
            orders.is_paused = true;
        });
    }

    /// Ends a pause: the client connects at once. Does nothing if the client is not paused.
    pub fn unpause(&self) {
        self.orders.send_if_modified(|orders| {
            orders.wakes += u64::from(orders.is_paused);
            std::mem::take(&mut orders.is_paused)
        });
    }

    /// Stops the client, closes its connection, and returns its journal.
    ///
    /// Cancel safe: a dropped call also stops the client.
    ///
    /// # Panics
    ///
    /// If the client's task panicked, with the same panic.
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
