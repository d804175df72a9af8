//! Sources of metrics.

use crate::collector::Collector;

/// A source of metrics. Each scrape asks the source for its current numbers.
///
/// [`Manager`](sse_core::Manager) and [`Process`](crate::Process) are sources, and so is a closure.
/// A scrape runs on the caller's thread, which can be a thread of a runtime. So a source reads
/// counters, and neither waits nor counts long collections.
pub trait Source: Send + Sync + 'static {
    /// Puts the current numbers.
    fn collect(&self, families: &mut Collector);
}

impl<F: Fn(&mut Collector) + Send + Sync + 'static> Source for F {
    fn collect(&self, families: &mut Collector) {
        self(families);
    }
}
