//! Requests and their replies.

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
use sse_core::backplane::BackplaneError;
use tokio::{
    sync::oneshot,
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    connection::{Generation, NatsConnection},
    error::unavailable,
};

/// Requests over a connection. The driver also supports requests, but it never forgets requests
/// without a reply, and waits for replies that were lost with a connection.
#[derive(Debug)]
pub(crate) struct Requests {
    connection: Arc<NatsConnection>,
    /// The prefix of reply subjects, with a dot at the end.
    inbox: String,
    waiting: Arc<PendingReplies>,
    next: AtomicU64,
    delivering: AbortHandle,
}

type PendingReplies = Mutex<HashMap<u64, (Generation, oneshot::Sender<Message>)>>;

/// The reason for a missing reply.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The subject has no listener; nothing was done.
    NoResponders,
    /// The reply did not arrive in time, or the connection was lost.
    Failed(BackplaneError),
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.delivering.abort();
    }
}

impl Requests {
    pub(crate) async fn open(connection: Arc<NatsConnection>) -> Result<Self, BackplaneError> {
        let inbox = format!("{}.", connection.client().new_inbox());
        let subscriber = connection
            .client()
            .subscribe(format!("{inbox}*"))
            .await
            .map_err(unavailable)?;
        let waiting = Arc::new(PendingReplies::default());
        let delivering = deliver(
            Arc::clone(&connection),
            subscriber,
            inbox.len(),
            Arc::clone(&waiting),
        );
        let delivering = tokio::spawn(delivering).abort_handle();
        Ok(Self {
            connection,
            inbox,
            waiting,
            next: AtomicU64::new(0),
            delivering,
        })
    }

    /// Sends a request and waits for the reply. A dropped future may have sent the request.
    pub(crate) async fn request(
        &self,
        subject: &Subject,
        headers: HeaderMap,
        payload: Bytes,
        response_timeout: Duration,
    ) -> Result<Message, RequestError> {
        let generation = self.connection.up()?;
        let (token, answer) = self.expect(generation);
        let reply = format!("{}{}", self.inbox, token.0);
        let client = self.connection.client();
        let asking = async {
            let asked = client
                .publish_with_reply_and_headers(subject.clone(), reply, headers, payload)
                .await;
            asked.map_err(|error| RequestError::Failed(unavailable(error)))?;
            answer
                .await
                .map_err(|_| RequestError::Failed(unavailable("the connection was lost")))
        };
        let (since, quoted) = (Instant::now(), quoted(subject));
        let message = timeout(response_timeout, async {
            tokio::select! {
                biased;
                answer = asking => answer,
                complaint = self.connection.complains(&quoted, since) => Err(complaint.into()),
            }
        });
        let message = message
            .await
            .map_err(|_| RequestError::Failed(self.connection.unanswered(subject)))??;
        match message.status {
            Some(StatusCode::NO_RESPONDERS) => Err(RequestError::NoResponders),
            _ => Ok(message),
        }
    }

    /// Resolves when the server has processed everything that was sent before.
    pub(crate) async fn round_trip(
        &self,
        response_timeout: Duration,
    ) -> Result<(), BackplaneError> {
        let (token, answer) = self.expect(self.connection.up()?);
        let subject = Subject::from(format!("{}{}", self.inbox, token.0));
        let asking = async {
            self.connection
                .client()
                .publish(subject.clone(), Bytes::new())
                .await
                .map_err(unavailable)?;
            answer
                .await
                .map_err(|_| unavailable("the connection was lost"))
        };
        timeout(response_timeout, asking)
            .await
            .map_err(|_| self.connection.unanswered(&subject))?
            .map(drop)
    }

    fn expect(&self, generation: Generation) -> (ReplyGuard<'_>, oneshot::Receiver<Message>) {
        let (sender, receiver) = oneshot::channel();
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().insert(token, (generation, sender));
        (ReplyGuard(token, &self.waiting), receiver)
    }
}

/// Returns a subject in the form of the server's error messages, quoted so that it is not a prefix
/// of another one.
pub(crate) fn quoted(subject: &str) -> String {
    format!("\"{subject}\"")
}

/// Removes a waiting request when its caller stops waiting.
struct ReplyGuard<'a>(u64, &'a PendingReplies);

impl Drop for ReplyGuard<'_> {
    fn drop(&mut self) {
        self.1.lock().remove(&self.0);
    }
}

/// Passes replies to their callers, until the client is closed.
async fn deliver(
    connection: Arc<NatsConnection>,
    mut subscriber: Subscriber,
    skip: usize,
    waiting: Arc<PendingReplies>,
) {
    let mut events = connection.events();
    loop {
        tokio::select! {
            message = subscriber.next() => {
                let Some(message) = message else { return };
                let token = message.subject.get(skip..).and_then(|token| token.parse().ok());
                if let Some((_, sender)) = token.and_then(|token: u64| waiting.lock().remove(&token)) {
                    // The caller may have stopped waiting.
                    sender.send(message).ok();
                }
            }
            changed = events.changed() => {
                if changed.is_err() {
                    return;
                }
                // Replies of an ended connection do not arrive.
                waiting.lock().retain(|_, (generation, _)| connection.is(*generation));
            }
        }
    }
}

impl From<BackplaneError> for RequestError {
    fn from(error: BackplaneError) -> Self {
        Self::Failed(error)
    }
}
