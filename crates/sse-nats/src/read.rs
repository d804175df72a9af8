//! Reads parts of the log.

use std::time::Duration;

use sse_core::backplane::{BackplaneError, Cursor, Page, ReadLimit};
use tokio::time::{Instant, timeout};

use crate::{
    consumer::{Consumer, Delivered, Delivery, PullRequest},
    error::unavailable,
    log_info::LogInfo,
    shared::Shared,
};

/// Maximum number of messages of one request. It is less than the number that can wait in a
/// subscription.
pub(crate) const MESSAGES: u64 = 1024;

/// Time for which the server waits for messages that it reported as available.
const WAIT: Duration = Duration::from_secs(1);

/// Timeout for a silent server.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time for a page; then the page ends early.
const LONGEST: Duration = Duration::from_secs(4);

/// Time for which the server keeps a consumer that was not removed.
const IDLE: Duration = Duration::from_secs(10);

impl Shared {
    pub(crate) async fn read(
        &self,
        after: &Cursor,
        limit: ReadLimit,
    ) -> Result<Page, BackplaneError> {
        let before = self.epochs.find().await?;
        let sequence = before.sequence(after)?;
        if sequence == before.head {
            return Ok(Page {
                entries: Vec::new(),
                at_head: true,
            });
        }
        let mut consumer = self
            .consumer(&self.names.log_stream, sequence.saturating_add(1))
            .await?;
        let page = self.page(&mut consumer, limit).await;
        consumer.remove().await;
        let page = page?;
        // If the log is the same now, it was the same while the consumer read it.
        let now = self.epochs.find().await?;
        if now.epoch != after.epoch {
            return Err(BackplaneError::Epoch { current: now.epoch });
        }
        now.check_holes(sequence, &page.entries)?;
        if page.entries.is_empty() && !page.at_head {
            return Err(unavailable(
                "the server does not return entries that it reports",
            ));
        }
        Ok(page)
    }

    async fn page(
        &self,
        consumer: &mut Consumer,
        limit: ReadLimit,
    ) -> Result<Page, BackplaneError> {
        let end = Instant::now() + LONGEST;
        let entries = limit.entries.max(1);
        let (mut bytes, mut left) = (limit.bytes, consumer.pending());
        let mut page = Page::default();
        while left > 0 && page.entries.len() < entries && Instant::now() < end {
            let room = u64::try_from(entries - page.entries.len()).unwrap_or(u64::MAX);
            consumer.ask(self.ask(left.min(room), WAIT)).await?;
            match in_time(consumer).await? {
                Delivery::Message(message) => {
                    if !page.entries.is_empty() && message.payload.len() > bytes {
                        return Ok(page);
                    }
                    bytes = bytes.saturating_sub(message.payload.len());
                    left = message.pending;
                    page.entries.push(message.entry());
                }
                Delivery::BatchFull => {}
                Delivery::Timeout => break,
            }
        }
        page.at_head = left == 0;
        Ok(page)
    }

    /// Creates a consumer for one page.
    pub(crate) async fn consumer(
        &self,
        stream: &str,
        first: u64,
    ) -> Result<Consumer, BackplaneError> {
        Consumer::create(&self.connection, &self.jetstream, stream, first, IDLE).await
    }

    pub(crate) async fn rewind(&self, entries: u64) -> Result<Cursor, BackplaneError> {
        let found = self.epochs.find().await?;
        let sequence = found.head.saturating_sub(entries).max(found.trimmed);
        if found.holes == 0 || entries == 0 || sequence == found.trimmed {
            return Ok(found.cursor(sequence));
        }
        let sequence = self.rewind_over_holes(&found, entries).await?;
        Ok(found.cursor(sequence))
    }

    /// Returns the latest sequence after which `entries` entries follow. The server reports the
    /// number of messages after a sequence, so a binary search finds the sequence.
    async fn rewind_over_holes(
        &self,
        found: &LogInfo,
        entries: u64,
    ) -> Result<u64, BackplaneError> {
        let (mut low, mut high) = (found.trimmed, found.head.saturating_sub(entries));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let consumer = self.consumer(&self.names.log_stream, middle + 1).await?;
            // The number includes entries that arrived since the inspection.
            let pending = consumer.pending();
            consumer.remove().await;
            if pending >= entries {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// Returns the limits of a request: a few payloads of the maximum size fit.
    pub(crate) fn ask(&self, messages: u64, wait: Duration) -> PullRequest {
        let bytes = (4 << 20).max(2 * self.connection.client().max_payload());
        PullRequest {
            messages: messages.clamp(1, MESSAGES),
            bytes,
            wait,
        }
    }

    /// Reads everything that was available when the consumer was created.
    pub(crate) async fn drain(
        &self,
        consumer: &mut Consumer,
    ) -> Result<Vec<Delivered>, BackplaneError> {
        let mut all = Vec::new();
        let mut left = consumer.pending();
        while left > 0 {
            consumer.ask(self.ask(left, WAIT)).await?;
            match in_time(consumer).await? {
                Delivery::Message(message) => {
                    left = message.pending;
                    all.push(message);
                }
                Delivery::BatchFull => {}
                Delivery::Timeout => break,
            }
        }
        Ok(all)
    }
}

async fn in_time(consumer: &mut Consumer) -> Result<Delivery, BackplaneError> {
    timeout(DELIVERY_TIMEOUT, consumer.next())
        .await
        .map_err(|_| unavailable("no message of the consumer in time"))?
}
