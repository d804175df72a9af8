//! Publishing options of an event.

use std::{sync::Arc, time::Duration};

use crate::{event::Event, id::key_scope::KeyScope};

impl Event {
    /// Keeps the event out of the [event log](crate::ManagerBuilder::log), so that only clients
    /// that are connected now receive it. Without a log, the option has no effect. The option is
    /// not sent.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.logging_mut().ephemeral = true;
        self
    }

    /// Sets the idempotency key, for publishes that are retried. Of several logged publishes with
    /// one key within two minutes, only the first takes effect, on whichever node. The key alone
    /// decides: target and content of later publishes are not compared with the first.
    ///
    /// A key has 1 to 128 bytes and is unique within its [scope](Event::with_key_scope).
    /// [`Config::keys`](crate::Config::keys) limits the number of keys that are remembered at the
    /// same time. A key is rejected without an [event log](crate::ManagerBuilder::log), and on
    /// events that are not logged. The key is not sent.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.logging_mut().idempotency_key = Some(key.into());
        self
    }

    /// Sets the namespace of the idempotency key. The default is the scope of the app. An app that
    /// accepts keys from its users must set their scopes, see
    /// [`Manager::key_scope`](crate::Manager::key_scope). The scope is not sent.
    #[must_use]
    pub fn with_key_scope(mut self, scope: KeyScope) -> Self {
        if scope != *self.key_scope() {
            self.logging_mut().key_scope = scope;
        }
        self
    }

    /// Sets how long a publish waits for a [backplane](crate::ManagerBuilder::backplane) that is
    /// unavailable or accepts no entries. Without this timeout, the publish fails at the first
    /// error of the backplane. [`Config::spool_bytes`](crate::Config::spool_bytes) limits the
    /// waiting events; beyond it, a publish does not wait. An event that is not logged waits only
    /// if the backplane rejected it or was busy: after any other error, the event can have been
    /// sent. Without a backplane, the option has no effect.
    ///
    /// A logged event without an idempotency key receives a random one, so that a retry publishes
    /// the event once. This key counts towards the bounds of its [scope](Event::with_key_scope).
    /// The timeout is not sent.
    #[must_use]
    pub fn with_retry_for(mut self, duration: Duration) -> Self {
        self.logging_mut().retry_for = Some(duration);
        self
    }

    /// Returns `true` if [`Event::ephemeral`] was set.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.logging().is_some_and(|logging| logging.ephemeral)
    }

    /// Returns the key set by [`Event::with_idempotency_key`].
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&Arc<str>> {
        self.logging()?.idempotency_key.as_ref()
    }

    /// Returns the scope set by [`Event::with_key_scope`].
    #[must_use]
    pub fn key_scope(&self) -> &KeyScope {
        self.logging()
            .map_or(&KeyScope::App, |logging| &logging.key_scope)
    }

    /// Returns the timeout set by [`Event::with_retry_for`].
    #[must_use]
    pub fn retry_for(&self) -> Option<Duration> {
        self.logging()?.retry_for
    }
}
