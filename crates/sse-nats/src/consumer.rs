//! Reads a stream in order.
//!
//! The reader is a pull consumer in the server's memory, without the driver's consumer. The server
//! sends no more than was requested, so no queue grows without bound. The server also reports the
//! end of a request without messages, which proves that the server is alive.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use sse_core::backplane::{BackplaneError, Entry};
use tokio::time::Instant;

use crate::{
    connection::{Generation, NatsConnection},
    error::unavailable,
    jetstream::{ApiError, JetStream},
};

/// A consumer in the server's memory. The server removes a consumer that receives no request for a
/// while.
#[derive(Debug)]
pub(crate) struct Consumer {
    connection: Arc<NatsConnection>,
    jetstream: Arc<JetStream>,
    generation: Generation,
    stream: String,
    name: String,
    inbox: String,
    /// Number of requests so far. Each request has a separate reply subject, which distinguishes
    /// the end of an earlier request from that of the latest.
    asks: u64,
    /// Time of the last request.
    asked_at: Instant,
    /// Number of requests since the last message of the server.
    unanswered: u32,
    subscriber: Subscriber,
    /// Number of messages that were available when the consumer was created.
    pending: u64,
    /// The number of the consumer's next message.
    next: u64,
    /// Number of messages that can arrive before the next request is necessary. Zero if no request
    /// is open.
    asked: u64,
    /// Set if a message arrived since the last request.
    came: bool,
}

/// Maximum number of requests without a reply. All messages that they request must fit into the
/// subscription.
const UNANSWERED: u32 = 3;

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PullRequest {
    pub(crate) messages: u64,
    /// Maximum number of bytes, as the server counts them: with subjects and headers.
    pub(crate) bytes: usize,
    /// Time for which the server waits for messages.
    pub(crate) wait: Duration,
}

/// An item that the consumer delivers.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message(Delivered),
    /// The time has passed, or all available messages were delivered.
    Timeout,
    /// The maximum number of bytes was delivered.
    BatchFull,
}

/// A message of a stream.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) sequence: u64,
    /// Time when the server received the message, in nanoseconds since 1970.
    pub(crate) nanoseconds: i64,
    /// Number of messages that follow.
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

/// The server's facts on a message, in its reply subject (NATS ADR-15).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AckMetadata {
    pub(crate) sequence: u64,
    number: u64,
    nanoseconds: i64,
    pub(crate) pending: u64,
}

impl Consumer {
    /// Creates a consumer that starts at a sequence.
    pub(crate) async fn create(
        connection: &Arc<NatsConnection>,
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
                ApiError::Missing => unavailable(format!("the stream {stream} does not exist")),
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

    /// Returns the number of the connection over which the consumer was created.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns the number of messages that were available when the consumer was created.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Requests messages, unless an earlier request is still open.
    pub(crate) async fn ask(&mut self, ask: PullRequest) -> Result<(), BackplaneError> {
        if self.asked > 0 {
            return Ok(());
        }
        self.ask_again(ask).await
    }

    /// Returns the time to send another request although the last one is still open. nats-server
    /// 2.9 (2.9.10 is Debian's) silently forgets a request if a message arrives at the moment at
    /// which the request's time is over. With two requests in that time, the server always serves
    /// one of them.
    ///
    /// Returns `None` if the last requests had no reply: should the server recover, the messages
    /// that they request must fit into the subscription.
    pub(crate) fn due(&self, ask: PullRequest) -> Option<Instant> {
        (self.unanswered < UNANSWERED).then_some(self.asked_at + ask.wait / 2)
    }

    /// Requests messages in addition to those of open requests.
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

    /// Waits for the next item. *Cancel safety.* No item is lost.
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

    /// Returns an item that has already arrived.
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
        // `true` if no request was made after the one that ends here.
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
            StatusCode::NO_RESPONDERS => {
                return Err(unavailable("the consumer does not exist any more"));
            }
            status => {
                return Err(unavailable(format!(
                    "the consumer ended: {status} {description}"
                )));
            }
        };
        if matches!(delivery, Delivery::BatchFull) && !self.came {
            // The same would happen again.
            return Err(BackplaneError::rejected(
                "an entry is larger than the server's current max_payload",
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
            place.ok_or_else(|| unavailable("a message without the position of its entry"))?;
        if place.number != self.next {
            return Err(unavailable("messages were lost in transit"));
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

    /// Removes the consumer before the server removes it automatically, without waiting for the
    /// reply.
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
    /// Parses `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<number>.<time>.<pending>`.
    /// Domain and account can follow `ACK`, and more tokens can follow at the end.
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
    fn ack_metadata_parses_in_both_forms() {
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
