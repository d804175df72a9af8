//! Durations of appends to the event log.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts and total duration of appends.
#[derive(Debug, Default)]
pub(crate) struct AppendTimes {
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) micros: AtomicU64,
}

impl AppendTimes {
    pub(crate) fn record(&self, time: Duration, succeeded: bool) {
        let counter = if succeeded {
            &self.succeeded
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}
