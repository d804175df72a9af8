//! Reading a stream in order.
//!
//! A pull consumer of our own, kept in the server's memory. The server sends no more than was asked
//! for, so nothing waits anywhere without bound, and it says when a request ended without messages,
//! which proves that it is there.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use sse_core::{BackplaneError, Entry};
use tokio::time::Instant;

use crate::{
    connection::{Connection, Generation},
    error::unavailable,
    jetstream::{ApiError, JetStream},
};

/// A consumer in the server's memory. The server removes one that is not asked anything for a
/// while.
#[derive(Debug)]
pub(crate) struct Consumer {
    connection: Arc<Connection>,
    jetstream: Arc<JetStream>,
    generation: Generation,
    stream: String,
    name: String,
    inbox: String,
    /// How often it was asked. Each time has a reply subject of its own, by which the end of an
    /// earlier answer is told from that of the latest.
    asks: u64,
    /// When it was asked last.
    asked_at: Instant,
    /// How often it was asked since it said anything.
    unanswered: u32,
    subscriber: Subscriber,
    /// Messages that it had for us when it was made.
    pending: u64,
    /// What it numbers its next message.
    next: u64,
    /// Messages that may come before it must be asked again; nothing was asked for when zero.
    asked: u64,
    /// Whether any came since it was asked.
    came: bool,
}

/// So many requests may be without an answer; what they ask for has to fit into the subscription.
const UNANSWERED: u32 = 3;

/// What is asked for at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PullRequest {
    pub(crate) messages: u64,
    /// Counted by the server, with subjects and headers.
    pub(crate) bytes: usize,
    /// How long the server waits for messages.
    pub(crate) wait: Duration,
}

/// What comes.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message(Delivered),
    /// The time is over, or what there was has come.
    Timeout,
    /// As many bytes came as were asked for.
    BatchFull,
}

/// A message of a stream.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) sequence: u64,
    /// When the server got it, in nanoseconds since 1970.
    pub(crate) nanoseconds: i64,
    /// How many follow.
    pub(crate) pending: u64,
    pub(crate) subject: String,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) payload: Bytes,
}

impl Delivered {
    pub(crate) fn entry(self) -> Entry {
        Entry {
            position: self.sequence.into(),
            payload: self.payload,
        }
    }
}

/// What the server says of a message in its reply subject (NATS ADR-15).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AckMetadata {
    pub(crate) sequence: u64,
    number: u64,
    nanoseconds: i64,
    pub(crate) pending: u64,
}

impl Consumer {
    /// Makes one that begins with a sequence.
    pub(crate) async fn create(
        connection: &Arc<Connection>,
        jetstream: &Arc<JetStream>,
        stream: &str,
        first: u64,
        idle: Duration,
    ) -> Result<Self, BackplaneError> {
        let generation = connection.up()?;
        let inbox = connection.client().new_inbox();
        let subscriber = connection
            .client()
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(unavailable)?;
        let name = format!("sse{:016x}", rand::random::<u64>());
        let config = json!({
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": first,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": true,
            "num_replicas": 1,
            "inactive_threshold": u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX),
        });
        let info = jetstream
            .create_consumer(stream, &name, &config)
            .await
            .map_err(|error| match error {
                ApiError::Missing => unavailable(format!("there is no stream {stream}")),
                error => error.into(),
            })?;
        Ok(Self {
            connection: Arc::clone(connection),
            jetstream: Arc::clone(jetstream),
            generation,
            stream: stream.to_owned(),
            name,
            inbox,
            asks: 0,
            asked_at: Instant::now(),
            unanswered: 0,
            subscriber,
            pending: info.num_pending,
            next: 1,
            asked: 0,
            came: false,
        })
    }

    /// The connection over which it was made.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Messages that it had for us when it was made.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Asks for messages, unless it was asked and the answer has not ended.
    pub(crate) async fn ask(&mut self, ask: PullRequest) -> Result<(), BackplaneError> {
        if self.asked > 0 {
            return Ok(());
        }
        self.ask_again(ask).await
    }

    /// When to ask again though the answer has not ended: nats-server 2.9 (2.9.10 is Debian's)
    /// forgets a request without a word if a message comes at the moment at which its time is over.
    /// Asked twice in that time, there is always one that it serves.
    ///
    /// `None` if it said nothing to the last ones: should it come back, what they ask for has to
    /// fit into the subscription.
    pub(crate) fn due(&self, ask: PullRequest) -> Option<Instant> {
        (self.unanswered < UNANSWERED).then_some(self.asked_at + ask.wait / 2)
    }

    /// Asks for messages beside those that it was asked for.
    pub(crate) async fn ask_again(&mut self, ask: PullRequest) -> Result<(), BackplaneError> {
        let request = json!({
            "batch": ask.messages,
            "max_bytes": ask.bytes,
            "expires": u64::try_from(ask.wait.as_nanos()).unwrap_or(u64::MAX),
        });
        let subject = self
            .jetstream
            .subject(&format!("CONSUMER.MSG.NEXT.{}.{}", self.stream, self.name));
        self.asks += 1;
        let (reply, request) = (self.reply(), Bytes::from(request.to_string()));
        let sent = self
            .connection
            .client()
            .publish_with_reply(subject, reply, request)
            .await;
        sent.map_err(unavailable)?;
        (self.asked, self.came) = (ask.messages, false);
        (self.asked_at, self.unanswered) = (Instant::now(), self.unanswered + 1);
        Ok(())
    }

    fn reply(&self) -> String {
        format!("{}.{}", self.inbox, self.asks)
    }

    /// What comes next. *Cancel safety.* Nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Delivery, BackplaneError> {
        loop {
            let message = tokio::select! {
                message = self.subscriber.next() => message,
                () = self.connection.lost(self.generation) => None,
            };
            let message = message.ok_or_else(|| unavailable("the connection was lost"))?;
            if let Some(delivery) = self.delivery(message)? {
                return Ok(delivery);
            }
        }
    }

    /// What came already.
    pub(crate) fn next_now(&mut self) -> Result<Option<Delivery>, BackplaneError> {
        loop {
            let Some(message) = self.subscriber.next().now_or_never().flatten() else {
                return Ok(None);
            };
            if let Some(delivery) = self.delivery(message)? {
                return Ok(Some(delivery));
            }
        }
    }

    fn delivery(&mut self, message: Message) -> Result<Option<Delivery>, BackplaneError> {
        self.unanswered = 0;
        let Some(status) = message.status else {
            return self.delivered(message).map(Delivery::Message).map(Some);
        };
        // Whether nothing was asked for behind what ends here.
        let is_latest = self.asked > 0 && message.subject.as_str() == self.reply();
        let description = message.description.unwrap_or_default().to_ascii_lowercase();
        let is_enough = ["maxbytes", "batch completed"]
            .iter()
            .any(|end| description.contains(end));
        let delivery = match status {
            StatusCode::IDLE_HEARTBEAT => return Ok(None),
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Delivery::Timeout,
            StatusCode::REQUEST_TERMINATED if is_enough && !is_latest => return Ok(None),
            StatusCode::REQUEST_TERMINATED if is_enough => Delivery::BatchFull,
            StatusCode::NO_RESPONDERS => return Err(unavailable("the consumer is gone")),
            status => {
                return Err(unavailable(format!(
                    "the consumer ended: {status} {description}"
                )));
            }
        };
        if matches!(delivery, Delivery::BatchFull) && !self.came {
            // It would be so the next time.
            return Err(BackplaneError::rejected(
                "an entry is larger than the server's max_payload allows for by now",
            ));
        }
        if is_latest {
            self.asked = 0;
        }
        Ok(Some(delivery))
    }

    fn delivered(&mut self, message: Message) -> Result<Delivered, BackplaneError> {
        let place = message.reply.as_deref().and_then(AckMetadata::parse);
        let place =
            place.ok_or_else(|| unavailable("a message that does not say where it stands"))?;
        if place.number != self.next {
            return Err(unavailable("messages were lost on their way"));
        }
        self.next += 1;
        (self.asked, self.came) = (self.asked.saturating_sub(1), true);
        Ok(Delivered {
            sequence: place.sequence,
            nanoseconds: place.nanoseconds,
            pending: place.pending,
            subject: message.subject.into_string(),
            headers: message.headers,
            payload: message.payload,
        })
    }

    /// Removes it before the server does so by itself, without waiting for the answer.
    pub(crate) async fn remove(self) {
        let subject = self
            .jetstream
            .subject(&format!("CONSUMER.DELETE.{}.{}", self.stream, self.name));
        if self.connection.is(self.generation) {
            self.connection
                .client()
                .publish(subject, Bytes::new())
                .await
                .ok();
        }
    }
}

impl AckMetadata {
    /// `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<number>.<time>.<pending>`, or with
    /// domain and account behind `ACK`, and more at the end.
    pub(crate) fn parse(reply: &str) -> Option<Self> {
        let words: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let numbers = match words.len() {
            7 => &words[2..],
            9.. => &words[4..],
            _ => return None,
        };
        let number = |index: usize| numbers.get(index)?.parse().ok();
        Some(Self {
            sequence: number(1)?,
            number: number(2)?,
            nanoseconds: numbers.get(3)?.parse().ok()?,
            pending: number(4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_in_both_forms() {
        let place = AckMetadata {
            sequence: 7,
            number: 2,
            nanoseconds: 1_700_000_000_000_000_001,
            pending: 3,
        };
        for reply in [
            "$JS.ACK.log.consumer.1.7.2.1700000000000000001.3",
            "$JS.ACK._.hash.log.consumer.1.7.2.1700000000000000001.3",
            "$JS.ACK.domain.hash.log.consumer.1.7.2.1700000000000000001.3.random",
        ] {
            assert_eq!(AckMetadata::parse(reply).as_ref(), Some(&place), "{reply}");
        }
        for reply in [
            "",
            "$JS.ACK",
            "$JS.ACK.log.consumer.1.7.2.x.3",
            "$JS.ACK.a.b.c.d.e.f.g.h",
            "_INBOX.a",
        ] {
            assert_eq!(AckMetadata::parse(reply), None, "{reply}");
        }
    }
}
