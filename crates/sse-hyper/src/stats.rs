//! Numbers about how streams are served.

use std::sync::{Arc, Mutex, PoisonError};

use sse_reactor::ReactorStats;

use crate::handoff::{fallback::Fallbacks, lazy_reactor::Reception};

/// Lets somebody read how streams are served: a route of the app for metrics, say. A cheap clone.
///
/// Given to [`Serve::transports`](crate::Serve::transports), of one server or several, whose numbers are added up.
#[derive(Debug, Clone, Default)]
pub struct Transports(Arc<Mutex<Vec<Reception>>>);

impl Transports {
    pub(crate) fn watch(&self, reception: &Reception) {
        self.receptions(|receptions| receptions.push(reception.clone()));
    }

    /// The numbers of now; cheap to read, also when the servers are over.
    #[must_use]
    pub fn stats(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        self.receptions(|receptions| {
            for stats in receptions.iter().map(Reception::stats) {
                sum.reactor += stats.reactor;
                sum.bodies += stats.bodies;
            }
        });
        sum
    }

    fn receptions(&self, act: impl FnOnce(&mut Vec<Reception>)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How streams are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Streams on bare sockets. All zero before the first.
    pub reactor: ReactorStats,
    /// Counter: streams that were served as bodies, by the reason why. How many there are now is what the
    /// managers count (`total_connections` and `ending`) without `reactor.streams`.
    pub bodies: Fallbacks,
}
