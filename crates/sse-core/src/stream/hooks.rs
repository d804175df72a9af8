//! Callbacks for events of streams.

use std::{net::IpAddr, time::Duration};

use crate::{
    dialect::reason::DisconnectReason,
    id::{client_id::ClientId, names::UserId},
};

/// Callbacks of the app for events of its streams.
///
/// The manager holds no lock while it calls a hook. It calls the hook on the thread that caused the
/// event, so an implementation must not block: spawn a task for longer work.
///
/// ```
/// use std::sync::{
///     Arc,
///     atomic::{AtomicUsize, Ordering::Relaxed},
/// };
///
/// use sse_core::{Handshake, Manager, hooks::{Disconnection, Hooks, StreamInfo}};
///
/// #[derive(Clone, Default)]
/// struct Gauge(Arc<AtomicUsize>);
///
/// impl Hooks for Gauge {
///     fn connected(&self, _: &StreamInfo) {
///         self.0.fetch_add(1, Relaxed);
///     }
///
///     fn disconnected(&self, _: &StreamInfo, _: &Disconnection) {
///         self.0.fetch_sub(1, Relaxed);
///     }
/// }
///
/// let gauge = Gauge::default();
/// let manager = Manager::builder().hooks(gauge.clone()).build()?;
/// let session = manager.connect(Handshake::new())?;
/// assert_eq!(gauge.0.load(Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Hooks: Send + Sync + 'static {
    /// Called after a stream was accepted.
    fn connected(&self, stream: &StreamInfo) {
        let _ = stream;
    }

    /// Called after a stream has ended, exactly once for each [`Hooks::connected`].
    fn disconnected(&self, stream: &StreamInfo, departure: &Disconnection) {
        let _ = (stream, departure);
    }

    /// Called after events were dropped because a stream's queue was full.
    fn dropped(&self, stream: &StreamInfo, events: u32) {
        let _ = (stream, events);
    }
}

/// Identity of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Client id of the stream.
    pub client_id: ClientId,
    /// User of the stream; `None` if it is anonymous.
    pub user_id: Option<UserId>,
    /// Address of the client, if the adapter knows it.
    pub address: Option<IpAddr>,
    /// Time at which the stream was accepted, in Unix milliseconds.
    pub connected_at: u64,
}

/// Summary of a stream that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnection {
    /// Reason for the end.
    pub reason: DisconnectReason,
    /// Lifetime of the stream.
    pub lifetime: Duration,
    /// Number of events that the transport took.
    pub delivered: u64,
    /// Number of bytes that the transport took, first and last blocks and heartbeats included.
    pub bytes: u64,
}

/// Hooks that do nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
