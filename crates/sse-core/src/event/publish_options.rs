//! What an event asks of the event log.

use std::{sync::Arc, time::Duration};

use crate::id::key_scope::KeyScope;

/// What only a manager with an event log asks for.
#[derive(Clone, Default)]
pub(crate) struct PublishOptions {
    pub(crate) ephemeral: bool,
    pub(crate) idempotency_key: Option<Arc<str>>,
    pub(crate) key_scope: KeyScope,
    pub(crate) patience: Option<Duration>,
}
