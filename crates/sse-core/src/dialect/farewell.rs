//! The last block of a stream that the server ends.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    dialect::reason::DisconnectReason,
    event::{Event, system},
};

/// What a stream ends with, when the server ends it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Farewell {
    /// Why it ends.
    pub reason: DisconnectReason,
    /// What whoever asked for it said of the reason.
    pub note: Option<Arc<str>>,
    /// Whether the client should come back.
    pub reconnect: bool,
    /// How long it should wait before it does.
    pub retry: Option<Duration>,
}

impl Farewell {
    pub(crate) fn new(reason: DisconnectReason) -> Self {
        let reconnect = !matches!(reason, DisconnectReason::Replaced);
        Self {
            reason,
            note: None,
            reconnect,
            retry: None,
        }
    }

    /// The plain form: the system event `shutdown`, `auth_expired` or `disconnected`.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let reason = self.note.as_deref().unwrap_or(self.reason.as_str());
        let data = json!({ "reason": reason, "reconnect": self.reconnect });
        let name = match self.reason {
            DisconnectReason::Shutdown => "shutdown",
            DisconnectReason::Expired => "auth_expired",
            _ => "disconnected",
        };
        let event = system::own(name, data);
        match self.retry {
            Some(delay) => event.retry(delay),
            None => event,
        }
    }
}
