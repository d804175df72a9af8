//! Deadlines after which connections whose stream was ended are broken off.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::key::SlabKey;

/// Deadlines of connections. The set is small: only connections whose stream was ended while they
/// were blocked are in it, each once.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Instant, SlabKey)>);

impl Deadlines {
    pub(crate) fn add(&mut self, at: Instant, key: SlabKey) {
        self.0.insert((at, key));
    }

    /// Returns the time until the next deadline.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.0
            .first()
            .map(|(at, _)| at.saturating_duration_since(now))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes a deadline that has passed, and returns its key. The connection possibly no longer
    /// exists.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<SlabKey> {
        let due = *self.0.first().filter(|(at, _)| *at <= now)?;
        self.0.remove(&due);
        Some(due.1)
    }
}
