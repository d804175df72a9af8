//! Sources of metrics.

use crate::collector::Collector;

/// A source of metrics. Each scrape asks the source for its current numbers.
///
/// [`Manager`](sse_core::Manager) and [`Process`](crate::Process) are sources, and so is a closure.
/// A scrape runs on the caller's thread, which can be a thread of a runtime. So a source reads
/// counters, and neither waits nor counts long collections.
///
/// ```
/// use sse_metrics::{Collector, Family, Metrics};
///
/// const ROOMS: Family = Family::gauge("app_rooms", "Rooms that are open.");
///
/// let rooms = |families: &mut Collector| families.put(&ROOMS, [], 7_u64);
/// let metrics = Metrics::new().source(rooms);
/// assert!(metrics.scrape(None).body.contains("\napp_rooms 7\n"));
/// ```
pub trait Source: Send + Sync + 'static {
    /// Puts the current numbers.
    fn collect(&self, families: &mut Collector);
}

impl<F: Fn(&mut Collector) + Send + Sync + 'static> Source for F {
    fn collect(&self, families: &mut Collector) {
        self(families);
    }
}
