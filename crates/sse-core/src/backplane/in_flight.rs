//! Publishes that wait for their own entry of the log.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::sync::oneshot;

use crate::{backplane::envelope::PublishId, sync::Mutex};

/// Publishes that wait for their own entry of the log: only there it is known what they reached.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// This manager among all, at random.
    node: u64,
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<usize>>>,
}

/// One publish that waits. Dropped, it waits no longer.
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

    /// An entry was passed on to so many streams.
    pub(crate) fn resolve(&self, ticket: PublishId, matched: usize) {
        if ticket.node != self.node {
            return;
        }
        if let Some(sender) = self.waiting.lock().remove(&ticket.number) {
            // Whoever waited may have gone.
            sender.send(matched).ok();
        }
    }
}

impl PendingPublish<'_> {
    /// How many streams the entry was passed on to.
    pub(crate) async fn matched(&mut self) -> Option<usize> {
        (&mut self.matched).await.ok()
    }
}

impl Drop for PendingPublish<'_> {
    fn drop(&mut self) {
        self.tickets.waiting.lock().remove(&self.ticket.number);
    }
}
