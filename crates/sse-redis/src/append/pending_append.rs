//! An append under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sse_core::{Appended, BackplaneError, KeyBound, KeysFull, NewEntry};
use tokio::sync::oneshot;

/// An append under way.
pub(crate) struct PendingAppend {
    pub(crate) entry: NewEntry,
    pub(super) reply: oneshot::Sender<Result<Appended, BackplaneError>>,
    pub(super) place: Place,
}

impl PendingAppend {
    pub(crate) fn settle(self, result: Result<Appended, BackplaneError>) {
        // Whoever hears of it may come again at once.
        drop(self.place);
        // Nobody waits for an append that was dropped.
        self.reply.send(result).ok();
    }

    /// Says that there is no room for the key.
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

/// How much is under way.
#[derive(Debug, Default)]
pub(super) struct Room {
    appends: AtomicUsize,
    bytes: AtomicUsize,
}

/// The place of one append in the room.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

/// Payloads under way, at most; one is always taken.
const MOST_BYTES: usize = 64 << 20;

impl Room {
    /// Takes a place, unless that is one append too many, or too many bytes.
    pub(super) fn place(self: &Arc<Self>, bytes: usize, most: usize) -> Option<Place> {
        let Self {
            appends,
            bytes: all,
        } = &**self;
        let (before, bytes_before) = (
            appends.fetch_add(1, Ordering::Relaxed),
            all.fetch_add(bytes, Ordering::Relaxed),
        );
        let place = Place {
            room: Arc::clone(self),
            bytes,
        };
        let fits = before == 0 || bytes_before.saturating_add(bytes) <= MOST_BYTES;
        (fits && before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.appends.fetch_sub(1, Ordering::Relaxed);
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
