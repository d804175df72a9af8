//! Requests to other nodes that wait for replies.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::{messages::NodeResponse, node_id::NodeId};

/// Requests that wait for replies.
#[derive(Debug, Default)]
pub(crate) struct PendingRequests {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, mpsc::Sender<(NodeId, NodeResponse)>>>,
}

/// Replies of other nodes.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pub(crate) given: BTreeMap<NodeId, NodeResponse>,
    /// Nodes that did not reply in time.
    pub(crate) unanswered: Vec<NodeId>,
    /// Set if all known nodes have replied, and the list of nodes is current.
    pub(crate) complete: bool,
}

/// A waiting request. Dropping this value ends the wait.
pub(crate) struct PendingResponse<'a> {
    pending_requests: &'a PendingRequests,
    pub(crate) number: u64,
    pub(crate) responses: mpsc::Receiver<(NodeId, NodeResponse)>,
}

impl PendingRequests {
    pub(crate) fn answer(&self, number: u64, from: NodeId, response: NodeResponse) {
        let sender = self.waiting.lock().get(&number).cloned();
        match sender.map(|sender| sender.try_send((from, response))) {
            None => debug!(node = %from, "dropped a reply without a pending request"),
            Some(Ok(())) => {}
            Some(Err(_)) => warn!(node = %from, "dropped a reply: more replies than nodes"),
        }
    }

    pub(crate) fn ask(&self, responses: usize) -> PendingResponse<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        // Nodes that are not known yet may reply as well.
        let (sender, receiver) = mpsc::channel(responses + 64);
        self.waiting.lock().insert(number, sender);
        PendingResponse {
            pending_requests: self,
            number,
            responses: receiver,
        }
    }
}

impl Drop for PendingResponse<'_> {
    fn drop(&mut self) {
        self.pending_requests.waiting.lock().remove(&self.number);
    }
}
