//! Numbers about how streams are served.

use sse_reactor::ReactorStats;

use crate::handoff::fallback::Fallbacks;

/// How streams are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Streams on bare sockets. All zero before the first.
    pub reactor: ReactorStats,
    /// Counter: streams that were served as bodies, by the reason why. How many there are now is
    /// what the managers count (`total_connections` and `ending`) without `reactor.streams`.
    pub bodies: Fallbacks,
}
