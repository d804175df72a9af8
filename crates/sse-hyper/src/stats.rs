//! Reading how the streams of servers are served.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{handoff::lazy_reactor::LazyReactor, transport_stats::TransportStats};

/// Lets somebody read how streams are served: a route of the app for metrics, say. A cheap clone.
///
/// Given to [`Serve::transports`](crate::Serve::transports), of one server or several, whose
/// numbers are added up.
#[derive(Debug, Clone, Default)]
pub struct TransportStatsHandle(Arc<Mutex<Vec<LazyReactor>>>);

impl TransportStatsHandle {
    pub(crate) fn watch(&self, lazy_reactor: &LazyReactor) {
        self.lazy_reactors(|lazy_reactors| lazy_reactors.push(lazy_reactor.clone()));
    }

    /// The numbers of now; cheap to read, also when the servers are over.
    #[must_use]
    pub fn stats(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        self.lazy_reactors(|lazy_reactors| {
            for stats in lazy_reactors.iter().map(LazyReactor::stats) {
                sum.reactor += stats.reactor;
                sum.bodies += stats.bodies;
            }
        });
        sum
    }

    fn lazy_reactors(&self, act: impl FnOnce(&mut Vec<LazyReactor>)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
