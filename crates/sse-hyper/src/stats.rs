//! Reading how the streams of servers are served.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{handoff::lazy_reactor::Reception, transport_stats::TransportStats};

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
