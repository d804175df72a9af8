//! Requests and their answers.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{HeaderMap, Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use sse_core::BackplaneError;
use tokio::{
    sync::oneshot,
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    connection::{Generation, Link},
    error::unavailable,
};

/// Requests over a link. The driver can do this too, but remembers for ever what was never answered, and waits for answers that a lost
/// connection took with it.
#[derive(Debug)]
pub(crate) struct Replies {
    link: Arc<Link>,
    /// With a dot at the end.
    inbox: String,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    delivering: AbortHandle,
}

type Waiting = Mutex<HashMap<u64, (Generation, oneshot::Sender<Message>)>>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Nobody listens there; nothing was done.
    NobodyThere,
    /// Or not in time.
    Failed(BackplaneError),
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.delivering.abort();
    }
}

impl Replies {
    pub(crate) async fn open(link: Arc<Link>) -> Result<Self, BackplaneError> {
        let inbox = format!("{}.", link.client().new_inbox());
        let subscriber = link.client().subscribe(format!("{inbox}*")).await.map_err(unavailable)?;
        let waiting = Arc::new(Waiting::default());
        let delivering = deliver(Arc::clone(&link), subscriber, inbox.len(), Arc::clone(&waiting));
        let delivering = tokio::spawn(delivering).abort_handle();
        Ok(Self { link, inbox, waiting, next: AtomicU64::new(0), delivering })
    }

    /// Asks and waits for the answer. A dropped future may have asked.
    pub(crate) async fn request(
        &self,
        subject: &Subject,
        headers: HeaderMap,
        payload: Bytes,
        patience: Duration,
    ) -> Result<Message, Unanswered> {
        let generation = self.link.up()?;
        let (token, answer) = self.expect(generation);
        let reply = format!("{}{}", self.inbox, token.0);
        let client = self.link.client();
        let asking = async {
            let asked = client.publish_with_reply_and_headers(subject.clone(), reply, headers, payload).await;
            asked.map_err(|error| Unanswered::Failed(unavailable(error)))?;
            answer.await.map_err(|_| Unanswered::Failed(unavailable("the connection was lost")))
        };
        let (since, quoted) = (Instant::now(), quoted(subject));
        let message = timeout(patience, async {
            tokio::select! {
                biased;
                answer = asking => answer,
                complaint = self.link.complains(&quoted, since) => Err(complaint.into()),
            }
        });
        let message = message.await.map_err(|_| Unanswered::Failed(self.link.unanswered(subject)))??;
        match message.status {
            Some(StatusCode::NO_RESPONDERS) => Err(Unanswered::NobodyThere),
            _ => Ok(message),
        }
    }

    /// Resolves when the server has taken everything that was said before.
    pub(crate) async fn round_trip(&self, patience: Duration) -> Result<(), BackplaneError> {
        let (token, answer) = self.expect(self.link.up()?);
        let subject = Subject::from(format!("{}{}", self.inbox, token.0));
        let asking = async {
            self.link.client().publish(subject.clone(), Bytes::new()).await.map_err(unavailable)?;
            answer.await.map_err(|_| unavailable("the connection was lost"))
        };
        timeout(patience, asking).await.map_err(|_| self.link.unanswered(&subject))?.map(drop)
    }

    fn expect(&self, generation: Generation) -> (Token<'_>, oneshot::Receiver<Message>) {
        let (sender, receiver) = oneshot::channel();
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().insert(token, (generation, sender));
        (Token(token, &self.waiting), receiver)
    }
}

/// A subject as the server's complaints have it, which is not the beginning of another one.
pub(crate) fn quoted(subject: &str) -> String {
    format!("\"{subject}\"")
}

/// Forgets an answer that nobody waits for any more.
struct Token<'a>(u64, &'a Waiting);

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.1.lock().remove(&self.0);
    }
}

/// Gives answers to those who wait, until the client is closed.
async fn deliver(link: Arc<Link>, mut subscriber: Subscriber, skip: usize, waiting: Arc<Waiting>) {
    let mut events = link.events();
    loop {
        tokio::select! {
            message = subscriber.next() => {
                let Some(message) = message else { return };
                let token = message.subject.get(skip..).and_then(|token| token.parse().ok());
                if let Some((_, sender)) = token.and_then(|token: u64| waiting.lock().remove(&token)) {
                    // Who asked may have gone meanwhile.
                    sender.send(message).ok();
                }
            }
            changed = events.changed() => {
                if changed.is_err() {
                    return;
                }
                // Answers of a connection that is over do not come.
                waiting.lock().retain(|_, (generation, _)| link.is(*generation));
            }
        }
    }
}

impl From<BackplaneError> for Unanswered {
    fn from(error: BackplaneError) -> Self {
        Self::Failed(error)
    }
}
