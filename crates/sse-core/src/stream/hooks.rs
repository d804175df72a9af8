//! What an app hears of its streams.

use std::{net::IpAddr, time::Duration};

use crate::{
    dialect::reason::DisconnectReason,
    id::{client_id::ClientId, names::UserId},
};

/// What an app hears of its streams.
///
/// Called without any lock held, on the thread where it happened, so an implementation must not
/// block: hand work to a task.
pub trait Hooks: Send + Sync + 'static {
    /// A stream was accepted.
    fn connected(&self, stream: &StreamInfo) {
        let _ = stream;
    }

    /// A stream is gone. Exactly one for each [`Hooks::connected`].
    fn disconnected(&self, stream: &StreamInfo, departure: &Disconnection) {
        let _ = (stream, departure);
    }

    /// Events were dropped because a stream's queue was full.
    fn dropped(&self, stream: &StreamInfo, events: u32) {
        let _ = (stream, events);
    }
}

/// Which stream it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its client id.
    pub client_id: ClientId,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// Where it comes from, where the adapter knows.
    pub address: Option<IpAddr>,
    /// When it was accepted, in Unix milliseconds.
    pub connected_at: u64,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnection {
    /// Why.
    pub reason: DisconnectReason,
    /// How long it lived.
    pub lifetime: Duration,
    /// How many events its transport took.
    pub delivered: u64,
    /// How many bytes its transport took, first and last blocks and heartbeats included.
    pub bytes: u64,
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
