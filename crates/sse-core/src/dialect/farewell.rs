//! Last block of a stream that the server ends.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    dialect::reason::DisconnectReason,
    event::{Event, system},
};

/// The content of the last block of a stream that the server ends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Farewell {
    /// Reason for the end of the stream.
    pub reason: DisconnectReason,
    /// Explanation of the reason, from the request that ended the stream.
    pub note: Option<Arc<str>>,
    /// `true` if the client should reconnect.
    pub reconnect: bool,
    /// Time that the client should wait before it reconnects.
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

    /// Returns the event of the plain dialect: the system event `shutdown`, `auth_expired` or
    /// `disconnected`.
    #[must_use]
    pub fn to_event(&self) -> Event {
        let reason = self.note.as_deref().unwrap_or(self.reason.as_str());
        let data = json!({ "reason": reason, "reconnect": self.reconnect });
        let name = match self.reason {
            DisconnectReason::Shutdown => "shutdown",
            DisconnectReason::Expired => "auth_expired",
            _ => "disconnected",
        };
        let event = system::own(name, &data);
        match self.retry {
            Some(delay) => event.with_retry(delay),
            None => event,
        }
    }
}
