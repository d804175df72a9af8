//! An append in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sse_core::{
    backplane::{Appended, BackplaneError, NewEntry},
    config::{KeyBound, KeysFull},
};
use tokio::sync::oneshot;

/// An append in flight.
pub(crate) struct PendingAppend {
    pub(crate) entry: NewEntry,
    pub(super) reply: oneshot::Sender<Result<Appended, BackplaneError>>,
    pub(super) place: AppendPosition,
}

impl PendingAppend {
    pub(crate) fn settle(self, result: Result<Appended, BackplaneError>) {
        // A caller that receives the result may append again at once, and needs the room.
        drop(self.place);
        // Nobody waits for an append that was dropped.
        self.reply.send(result).ok();
    }

    /// Completes the append with the error that the bound on keys is reached.
    pub(crate) fn refuse(self, bound: KeyBound, retry_after: Duration) {
        let limits = self
            .entry
            .key
            .as_ref()
            .map(|key| *key.limits())
            .unwrap_or_default();
        self.settle(Err(KeysFull::new(bound, &limits, retry_after).into()));
    }
}

/// The number and the size of the appends in flight.
#[derive(Debug, Default)]
pub(super) struct AppendBudget {
    appends: AtomicUsize,
    bytes: AtomicUsize,
}

/// The room that one append occupies.
#[derive(Debug)]
pub(super) struct AppendPosition {
    room: Arc<AppendBudget>,
    bytes: usize,
}

/// Maximum number of bytes of payloads in flight. If no other append is in flight, an append of any
/// size is accepted.
const MOST_BYTES: usize = 64 << 20;

impl AppendBudget {
    /// Reserves room for an append. Returns `None` if the number of appends or of bytes would
    /// exceed its maximum.
    pub(super) fn place(self: &Arc<Self>, bytes: usize, most: usize) -> Option<AppendPosition> {
        let Self {
            appends,
            bytes: all,
        } = &**self;
        let (before, bytes_before) = (
            appends.fetch_add(1, Ordering::Relaxed),
            all.fetch_add(bytes, Ordering::Relaxed),
        );
        let place = AppendPosition {
            room: Arc::clone(self),
            bytes,
        };
        let fits = before == 0 || bytes_before.saturating_add(bytes) <= MOST_BYTES;
        (fits && before < most).then_some(place)
    }
}

impl Drop for AppendPosition {
    fn drop(&mut self) {
        self.room.appends.fetch_sub(1, Ordering::Relaxed);
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
