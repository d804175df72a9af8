//! A client that comes back.

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
        session::Session,
        state::{Departure, Known, Orders, Status},
    },
    journal::Journal,
};

/// A client of an event stream that comes back as a browser does, cheap enough for thousands of
/// them in one process.
///
/// It is a task of its own, which ends when this is dropped. It keeps the last event id as the
/// WHATWG standard says (HTML, section 9.2) and sends it when it comes back. It comes back after
/// the end of a stream, a connection that broke or was not made, silence, and the statuses 408,
/// 425, 429 and 5xx; it stops at 204, any other status, an answer that is no event stream, and a
/// `disconnected` with `reconnect: false`.
///
/// What it waits before that is what our browser client does: at least what `Retry-After` says, or
/// `retry:` after a first failure, and up to a quarter more; else anything up to the base
/// (`retry:`, else [`backoff`](ClientRequest::backoff)) doubled for each failure in a row.
#[derive(Debug)]
pub struct Client {
    orders: watch::Sender<Orders>,
    known: Known,
    task: JoinHandle<()>,
}

impl ClientRequest {
    /// Begins to connect. Must be called within a tokio runtime that has IO and time enabled.
    #[must_use = "a client that is dropped ends"]
    pub fn start(self) -> Client {
        let known = Known::new(&self.last_event_id);
        let orders = watch::Sender::new(Orders::new(self.address));
        let session = Session::new(self, known.clone());
        let task = tokio::spawn(session.run(orders.subscribe()));
        Client {
            orders,
            known,
            task,
        }
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

    /// Loses its connection and comes back as after any other loss. Nothing happens if it has none
    /// and makes none.
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
