//! Questions to other nodes that wait for answers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::{messages::Response, node_id::NodeId};

/// Questions that wait for answers.
#[derive(Debug, Default)]
pub(crate) struct PendingRequests {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, mpsc::Sender<(NodeId, Response)>>>,
}

/// What other nodes answered.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub(crate) given: BTreeMap<NodeId, Response>,
    /// Nodes that did not answer in time.
    pub(crate) unanswered: Vec<NodeId>,
    /// Whether all nodes that there are have answered, as far as is known.
    pub(crate) complete: bool,
}

/// A question that waits. Dropped, it waits no longer.
pub(crate) struct Waiting<'a> {
    pending_requests: &'a PendingRequests,
    pub(crate) number: u64,
    pub(crate) responses: mpsc::Receiver<(NodeId, Response)>,
}

impl PendingRequests {
    pub(crate) fn answer(&self, number: u64, from: NodeId, response: Response) {
        let sender = self.waiting.lock().get(&number).cloned();
        match sender.map(|sender| sender.try_send((from, response))) {
            None => debug!(node = %from, "an answer that nobody waits for"),
            Some(Ok(())) => {}
            Some(Err(_)) => warn!(node = %from, "more answers than nodes: one is dropped"),
        }
    }

    pub(crate) fn ask(&self, responses: usize) -> Waiting<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        // Nodes that are not known yet may answer as well.
        let (sender, receiver) = mpsc::channel(responses + 64);
        self.waiting.lock().insert(number, sender);
        Waiting {
            pending_requests: self,
            number,
            responses: receiver,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pending_requests.waiting.lock().remove(&self.number);
    }
}
