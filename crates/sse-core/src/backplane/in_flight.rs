//! Publishes that wait for their own entry of the log.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::sync::oneshot;

use crate::{backplane::envelope::PublishId, sync::Mutex};

/// The publishes that wait for their own entry of the log. Only at that entry the number of streams
/// that a publish reached is known.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// Random number that identifies this manager among all managers.
    node: u64,
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<usize>>>,
}

/// A publish that waits. Dropping it ends the wait.
#[derive(Debug)]
pub(crate) struct PendingPublish<'a> {
    tickets: &'a InFlight,
    pub(crate) ticket: PublishId,
    matched: oneshot::Receiver<usize>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            node: rand::random(),
            last: AtomicU64::new(0),
            waiting: Mutex::new(HashMap::new()),
        }
    }
}

impl InFlight {
    pub(crate) fn node(&self) -> u64 {
        self.node
    }

    pub(crate) fn take(&self) -> PendingPublish<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, matched) = oneshot::channel();
        self.waiting.lock().insert(number, sender);
        PendingPublish {
            tickets: self,
            ticket: PublishId {
                node: self.node,
                number,
            },
            matched,
        }
    }

    /// Reports to the waiting publish that its entry was delivered to `matched` streams.
    pub(crate) fn resolve(&self, ticket: PublishId, matched: usize) {
        if ticket.node != self.node {
            return;
        }
        if let Some(sender) = self.waiting.lock().remove(&ticket.number) {
            // The receiver is dropped if the publisher no longer waits.
            sender.send(matched).ok();
        }
    }
}

impl PendingPublish<'_> {
    /// Waits until the entry is delivered. Returns the number of streams that it matched.
    pub(crate) async fn matched(&mut self) -> Option<usize> {
        (&mut self.matched).await.ok()
    }
}

impl Drop for PendingPublish<'_> {
    fn drop(&mut self) {
        self.tickets.waiting.lock().remove(&self.ticket.number);
    }
}
