//! What an event asks of the event log.

use std::{sync::Arc, time::Duration};

use crate::event::Event;

/// What only a manager with an event log asks for.
#[derive(Clone, Default)]
pub(crate) struct Logging {
    ephemeral: bool,
    idempotency_key: Option<Arc<str>>,
    patience: Option<Duration>,
}

impl Event {
    /// Keeps the event out of the [event log](crate::Builder::log): it is for those who are there now. Without a log it means nothing. Not sent.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.logging_mut().ephemeral = true;
        self
    }

    /// Of several logged publishes with one key within two minutes only the first takes effect, on whichever node: for publishes that are
    /// tried again. 1 to 128 bytes. Without an [event log](crate::Builder::log), and on events that are not logged, it is refused. Not sent.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.logging_mut().idempotency_key = Some(key.into());
        self
    }

    /// Waits so long for a [backplane](crate::Builder::backplane) that is away, instead of failing at once. What waits is bounded in bytes
    /// by the manager. Not sent.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.logging_mut().patience = Some(patience);
        self
    }

    /// Whether [`Event::ephemeral`] was set.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.logging().is_some_and(|logging| logging.ephemeral)
    }

    /// What [`Event::idempotency_key`] set.
    #[must_use]
    pub fn idempotency_key_ref(&self) -> Option<&Arc<str>> {
        self.logging()?.idempotency_key.as_ref()
    }

    /// What [`Event::patience`] set.
    #[must_use]
    pub fn patience_ref(&self) -> Option<Duration> {
        self.logging()?.patience
    }
}
