//! Follows the log.

use std::{mem, sync::Arc, time::Duration};

use async_trait::async_trait;
use sse_core::backplane::{BackplaneError, Batch, Cursor, Entry, Tail};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    consumer::{Consumer, Delivered, Delivery},
    error::unavailable,
    fingerprint::Fingerprint,
    log_info::first_missing,
    read::MESSAGES,
    shared::{Shared, bounded},
};

/// A tail, with a separate consumer.
pub(crate) struct NatsTail {
    shared: Arc<Shared>,
    consumer: Consumer,
    after: Cursor,
    /// Entries that arrived and were not returned yet.
    entries: Vec<Entry>,
    /// Number of entries that follow the last one that arrived.
    pending: u64,
    /// Time of the last check of the log.
    checked: Instant,
}

/// Time after which the server reports that no entry arrived.
const PULSE: Duration = Duration::from_millis(900);

/// Maximum delay of that report. Callers that need to detect silence earlier must measure it
/// themselves.
const GRACE: Duration = Duration::from_secs(8);

/// Interval between checks of the log.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Timeout for finding out why a tail ended.
const EXPLAIN: Duration = Duration::from_secs(1);

/// Time for which the server keeps the consumer of a tail that is not polled.
const IDLE: Duration = Duration::from_secs(60);

impl NatsTail {
    pub(crate) async fn start(shared: Arc<Shared>, after: &Cursor) -> Result<Self, BackplaneError> {
        let sequence = shared.epochs.find().await?.sequence(after)?;
        let (connection, jetstream, names) = (&shared.connection, &shared.jetstream, &shared.names);
        let consumer = Consumer::create(
            connection,
            jetstream,
            &names.log_stream,
            sequence.saturating_add(1),
            IDLE,
        )
        .await?;
        // The check follows the creation of the consumer, so that the consumer belongs to this log.
        shared.epochs.find().await?.sequence(after)?;
        Ok(Self {
            pending: consumer.pending(),
            consumer,
            after: after.clone(),
            entries: Vec::new(),
            checked: Instant::now(),
            shared,
        })
    }

    /// Waits for entries, or for the server's report that no entry arrived. *Cancel safety.*
    /// Entries that arrived are kept.
    async fn collect(&mut self) -> Result<(), BackplaneError> {
        let ask = self.shared.ask(MESSAGES, PULSE);
        self.consumer.ask(ask).await?;
        let silent = Instant::now() + PULSE + GRACE;
        loop {
            let due = self.consumer.due(ask).map_or(silent, |due| due.min(silent));
            match timeout_at(due, self.consumer.next()).await {
                Ok(delivery) => match delivery? {
                    Delivery::Message(message) => {
                        self.keep(message);
                        return self.collect_now();
                    }
                    Delivery::Timeout => {
                        self.pending = 0;
                        // The request is sent before the next check, so that entries need not wait.
                        return self.consumer.ask(ask).await;
                    }
                    Delivery::BatchFull => self.consumer.ask(ask).await?,
                },
                Err(_) if Instant::now() < silent => self.consumer.ask_again(ask).await?,
                Err(_) => return Err(unavailable("no message of the server in time")),
            }
        }
    }

    /// Collects the entries that have already arrived.
    fn collect_now(&mut self) -> Result<(), BackplaneError> {
        while self.entries.len() < BATCH {
            match self.consumer.next_now()? {
                Some(Delivery::Message(message)) => self.keep(message),
                Some(Delivery::Timeout | Delivery::BatchFull) | None => break,
            }
        }
        Ok(())
    }

    fn keep(&mut self, message: Delivered) {
        self.pending = message.pending;
        let fingerprint = Fingerprint::of_message(message.headers.as_ref(), &message.payload);
        let (epoch, generation) = (&self.after.epoch, self.consumer.generation());
        self.shared
            .epochs
            .saw(epoch, generation, message.sequence, fingerprint);
        self.entries.push(message.entry());
    }

    /// Checks from time to time that the log is the same, and that holes are not trimmed entries.
    async fn check(&mut self) -> Result<(), BackplaneError> {
        let after = self.after.position.minor();
        let last = self
            .entries
            .last()
            .map_or(after, |last| last.position.minor());
        let is_whole = last < first_missing(after, &self.entries);
        if is_whole && self.checked.elapsed() < CHECK_INTERVAL {
            return Ok(());
        }
        let now = self.shared.epochs.find().await?;
        if now.epoch != self.after.epoch {
            return Err(BackplaneError::Epoch { current: now.epoch });
        }
        self.checked = Instant::now();
        now.check_holes(after, &self.entries)
    }

    /// Explains the end of the tail: the log may be a different one now, or was trimmed.
    async fn explain(&self, error: BackplaneError) -> BackplaneError {
        match timeout(EXPLAIN, self.shared.epochs.find()).await {
            Ok(Ok(now)) => now.sequence(&self.after).err().unwrap_or(error),
            _ => error,
        }
    }

    fn batch(&mut self) -> Batch {
        let entries = mem::take(&mut self.entries);
        if let Some(last) = entries.last() {
            self.after.position = last.position;
        }
        Batch {
            entries,
            at_head: self.pending == 0,
        }
    }
}

/// Maximum number of entries that are returned at once.
const BATCH: usize = 1024;

#[async_trait]
impl Tail for NatsTail {
    async fn next(&mut self) -> Result<Batch, BackplaneError> {
        if self.entries.is_empty()
            && let Err(error) = self.collect().await
        {
            return Err(self.explain(error).await);
        }
        match bounded(self.check()).await {
            Ok(()) => Ok(self.batch()),
            Err(error) => Err(error),
        }
    }
}
