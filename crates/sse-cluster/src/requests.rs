//! Asking other nodes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::{debug, warn};

use crate::{
    messages::{Answer, Body, Question},
    node_id::NodeId,
    shared::Shared,
};

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
struct Waiting<'a> {
    questions: &'a Questions,
    number: u64,
    answers: mpsc::Receiver<(NodeId, Answer)>,
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

    fn ask(&self, answers: usize) -> Waiting<'_> {
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

impl Shared {
    /// Asks every other node, until all have answered, an answer is enough, or the time is over.
    pub(crate) async fn ask_all(&self, question: Question, enough: impl Fn(&Answer) -> bool) -> Answers {
        if !self.has_others() {
            return Answers { complete: true, ..Answers::default() };
        }
        let (others, knows_nodes) = {
            let state = self.state.lock();
            (state.others().collect::<BTreeSet<_>>(), state.knows_nodes(self.config.term))
        };
        let mut answers = self.ask(None, others, question, enough).await;
        answers.complete &= knows_nodes;
        answers
    }

    /// Asks one other node.
    pub(crate) async fn ask_one(&self, node: NodeId, question: Question) -> Option<Answer> {
        let mut answers = self.ask(Some(node), BTreeSet::from([node]), question, |_| false).await;
        answers.given.remove(&node)
    }

    async fn ask(
        &self,
        to: Option<NodeId>,
        mut open: BTreeSet<NodeId>,
        question: Question,
        enough: impl Fn(&Answer) -> bool,
    ) -> Answers {
        let mut waiting = self.questions.ask(open.len());
        let deadline = Instant::now() + self.config.patience;
        let request = Body::Request { number: waiting.number, to, question };
        let sent = timeout_at(deadline, self.say(request)).await;
        if let Ok(Err(error)) = &sent {
            debug!(error = error as &dyn Error, "other nodes cannot be asked");
        }
        let mut answers = Answers::default();
        let is_sent = matches!(sent, Ok(Ok(())));
        while is_sent && !open.is_empty() {
            let Ok(Some((from, answer))) = timeout_at(deadline, waiting.answers.recv()).await else { break };
            open.remove(&from);
            let is_enough = enough(&answer);
            answers.given.insert(from, answer);
            if is_enough {
                return Answers { complete: true, ..answers };
            }
        }
        answers.complete = is_sent && open.is_empty();
        answers.unanswered = open.into_iter().collect();
        answers
    }
}
