//! Questions to other nodes that wait for answers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::{messages::Answer, node_id::NodeId};

/// Questions that wait for answers.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, mpsc::Sender<(NodeId, Answer)>>>,
}

/// What other nodes answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) given: BTreeMap<NodeId, Answer>,
    /// Nodes that did not answer in time.
    pub(crate) unanswered: Vec<NodeId>,
    /// Whether all nodes that there are have answered, as far as is known.
    pub(crate) complete: bool,
}

/// A question that waits. Dropped, it waits no longer.
pub(crate) struct Waiting<'a> {
    questions: &'a Questions,
    pub(crate) number: u64,
    pub(crate) answers: mpsc::Receiver<(NodeId, Answer)>,
}

impl Questions {
    pub(crate) fn answer(&self, number: u64, from: NodeId, answer: Answer) {
        let sender = self.waiting.lock().get(&number).cloned();
        match sender.map(|sender| sender.try_send((from, answer))) {
            None => debug!(node = %from, "an answer that nobody waits for"),
            Some(Ok(())) => {}
            Some(Err(_)) => warn!(node = %from, "more answers than nodes: one is dropped"),
        }
    }

    pub(crate) fn ask(&self, answers: usize) -> Waiting<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        // Nodes that are not known yet may answer as well.
        let (sender, receiver) = mpsc::channel(answers + 64);
        self.waiting.lock().insert(number, sender);
        Waiting { questions: self, number, answers: receiver }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.questions.waiting.lock().remove(&self.number);
    }
}
