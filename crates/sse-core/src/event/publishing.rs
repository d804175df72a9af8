//! How an event is published: what it asks of the event log.

use std::{sync::Arc, time::Duration};

use crate::{event::Event, id::key_scope::KeyScope};

impl Event {
    /// Keeps the event out of the [event log](crate::ManagerBuilder::log): it is for those who are
    /// there now. Without a log it means nothing. Not sent.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.logging_mut().ephemeral = true;
        self
    }

    /// Sets the idempotency key, for publishes that are tried again: of several logged publishes
    /// with one key within two minutes only the first takes effect, on whichever node. The key
    /// alone counts: target and content of the later ones are not compared with the first.
    ///
    /// 1 to 128 bytes. A key counts within its [scope](Event::key_scope), and as many keys count at
    /// a time as [`Config::keys`](crate::Config::keys) says. Without an [event
    /// log](crate::ManagerBuilder::log), and on events that are not logged, a key is refused. Not
    /// sent.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.logging_mut().idempotency_key = Some(key.into());
        self
    }

    /// Sets the name space of the idempotency key; by default the app's. An app that takes keys
    /// from its users sets their scopes, as [`Manager::key_scope`](crate::Manager::key_scope) says.
    /// Not sent.
    #[must_use]
    pub fn key_scope(mut self, scope: KeyScope) -> Self {
        if scope != *self.key_scope_ref() {
            self.logging_mut().key_scope = scope;
        }
        self
    }

    /// Waits so long for a [backplane](crate::ManagerBuilder::backplane) that is away or accepts
    /// nothing, instead of failing at once. What waits is bounded in bytes by the manager. So that
    /// trying again publishes once, an event without an idempotency key gets a random one, which
    /// counts against the bounds of its [scope](Event::key_scope). Not sent.
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

    /// What [`Event::key_scope`] set.
    #[must_use]
    pub fn key_scope_ref(&self) -> &KeyScope {
        self.logging()
            .map_or(&KeyScope::App, |logging| &logging.key_scope)
    }

    /// What [`Event::patience`] set.
    #[must_use]
    pub fn patience_ref(&self) -> Option<Duration> {
        self.logging()?.patience
    }
}
