//! Statistics on the transport of streams.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{handoff::lazy_reactor::LazyReactor, transport_stats::TransportStats};

/// A handle for reading the transport statistics of servers, for instance in a metrics route of the
/// app. Cloning is cheap.
///
/// Pass the handle to [`Serve::transports`](crate::Serve::transports) of one server or several.
/// Their numbers are added up.
///
/// ```
/// use sse_hyper::{Serve, TransportStatsHandle};
///
/// # fn example<S>(listener: tokio::net::TcpListener, service: S) -> Serve<S> {
/// let transports = TransportStatsHandle::default();
/// let server = sse_hyper::serve(listener, service).transports(&transports);
/// println!("{:?}", transports.stats());
/// # server
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct TransportStatsHandle(Arc<Mutex<Vec<LazyReactor>>>);

impl TransportStatsHandle {
    pub(crate) fn watch(&self, lazy_reactor: &LazyReactor) {
        self.lazy_reactors(|lazy_reactors| lazy_reactors.push(lazy_reactor.clone()));
    }

    /// Returns the current numbers. Reading is cheap, even after the servers have ended.
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
