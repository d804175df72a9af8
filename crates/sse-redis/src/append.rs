//! Appends, grouped into batches.

pub(crate) mod batch;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod pending_append;
pub(crate) mod pipeline;
pub(crate) mod resp;

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use sse_core::backplane::{Appended, BackplaneError, NewEntry};
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::timeout,
};

use crate::{
    append::{
        batch::AppendBatch,
        pending_append::{AppendBudget, PendingAppend},
    },
    connection::reconnecting::Reconnecting,
    error,
    shared::Shared,
};

/// Appends entries by a task that sends them to the server in batches. A batch holds all appends
/// that are waiting at that moment: many under load, otherwise a single one.
pub(crate) struct Appender {
    shared: Arc<Shared>,
    room: Arc<AppendBudget>,
    /// The queue of the task. The task starts with the first append, and starts again if its
    /// runtime has ended.
    queue: Mutex<Option<mpsc::Sender<PendingAppend>>>,
}

/// Maximum number of entries in a batch.
const BATCH: usize = 512;

/// Maximum number of batches in flight. While the server executes one batch, the next is on its way
/// and the replies to another are read.
const BATCHES: usize = 4;

/// Time limit of an append, and of a batch.
const LONGEST: Duration = Duration::from_secs(8);

impl Appender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            room: Arc::default(),
            queue: Mutex::new(None),
        }
    }

    pub(crate) async fn append(&self, entry: NewEntry) -> Result<Appended, BackplaneError> {
        self.check(&entry)?;
        let place = self
            .room
            .place(entry.payload.len(), self.shared.config.pipeline);
        let place = place.ok_or(BackplaneError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.hand_over(PendingAppend {
            entry,
            reply,
            place,
        })?;
        match timeout(LONGEST, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(gone)) => Err(BackplaneError::unavailable(error::SOON, gone)),
            Err(elapsed) => Err(BackplaneError::unavailable(error::SOON, elapsed)),
        }
    }

    fn check(&self, entry: &NewEntry) -> Result<(), BackplaneError> {
        let (size, limit) = (entry.payload.len(), self.shared.config.max_payload);
        if size > limit {
            return Err(BackplaneError::TooLarge { size, limit });
        }
        Ok(())
    }

    fn hand_over(&self, waiting: PendingAppend) -> Result<(), BackplaneError> {
        let mut queue = self.queue.lock();
        let sent = match &*queue {
            Some(queue) => queue.try_send(waiting),
            None => Err(mpsc::error::TrySendError::Closed(waiting)),
        };
        let waiting = match sent {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => return Err(BackplaneError::Busy),
            Err(mpsc::error::TrySendError::Closed(waiting)) => waiting,
        };
        let (sender, receiver) = mpsc::channel(self.shared.config.pipeline.max(1));
        tokio::spawn(write(Arc::clone(&self.shared), receiver));
        let sent = sender.try_send(waiting);
        *queue = Some(sender);
        sent.map_err(|_| BackplaneError::Busy)
    }
}

/// Runs until the backplane is dropped and every append has a result.
async fn write(shared: Arc<Shared>, mut queue: mpsc::Receiver<PendingAppend>) {
    let slot = Reconnecting::new(shared);
    let mut batches = FuturesUnordered::new();
    let mut next = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            Some(()) = batches.next(), if !batches.is_empty() => {}
            count = queue.recv_many(&mut next, BATCH), if batches.len() < BATCHES => {
                if count == 0 {
                    break;
                }
                gather(&mut queue, &mut next).await;
                let batch = AppendBatch::new(std::mem::replace(&mut next, Vec::with_capacity(BATCH)));
                // Nobody waits for a batch that takes longer.
                batches.push(async { timeout(LONGEST, batch.run(&slot)).await.unwrap_or_default() });
            }
        }
    }
    while batches.next().await.is_some() {}
}

/// Fills the next batch. Callers whose appends have just completed can append again at once. They
/// run first, so that a single batch takes all their appends.
async fn gather(queue: &mut mpsc::Receiver<PendingAppend>, next: &mut Vec<PendingAppend>) {
    yield_now().await;
    while next.len() < BATCH
        && let Ok(waiting) = queue.try_recv()
    {
        next.push(waiting);
    }
}
