//! Handlers of signals.

use bytes::Bytes;

/// A handler of the payloads that nodes send with [`Manager::signal`](crate::Manager::signal).
///
/// One task of the manager calls its handlers for one signal after the other, so an implementation
/// must not block: spawn a task for longer work. A panic in a handler is logged, and later signals
/// are still handled.
pub trait SignalHandler: Send + Sync + 'static {
    /// Handles a signal of any node, this node included.
    fn signalled(&self, payload: Bytes);

    /// Handles a possible loss of signals: the connection was lost for a while.
    fn missed(&self) {}
}
