//! Handlers of signals.

use bytes::Bytes;

/// Hears what other nodes' [`Manager::signal`] said.
///
/// Called on the task that listens, in order, so an implementation must not block: hand work to a
/// task.
pub trait SignalHandler: Send + Sync + 'static {
    /// A node said something, this one included.
    fn signalled(&self, payload: Bytes);

    /// Signals may have been lost: the connection was gone for a while.
    fn missed(&self) {}
}
