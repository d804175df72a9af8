//! Statistics on the transport of streams.

use sse_reactor::ReactorStats;

use crate::handoff::fallback::Fallbacks;

/// Statistics on the transport of streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Streams on bare sockets. All zero before the first such stream.
    pub reactor: ReactorStats,
    /// Counter: streams that were served as bodies, by reason. The current number of such streams
    /// is the managers' count (`total_connections` and `ending`) minus `reactor.streams`.
    pub bodies: Fallbacks,
}
