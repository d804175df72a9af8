//! Asking other nodes.

use std::{collections::BTreeSet, error::Error};

use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::{
    messages::{Answer, Body, Question},
    node_id::NodeId,
    pending_requests::Answers,
    shared::Shared,
};

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
