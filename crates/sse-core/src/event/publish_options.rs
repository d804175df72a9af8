//! Options of an event for the event log.

use std::{sync::Arc, time::Duration};

use crate::id::key_scope::KeyScope;

/// Options of an event that only a manager with an event log uses.
#[derive(Clone, Default)]
pub(crate) struct PublishOptions {
    pub(crate) ephemeral: bool,
    pub(crate) idempotency_key: Option<Arc<str>>,
    pub(crate) key_scope: KeyScope,
    pub(crate) retry_for: Option<Duration>,
}
