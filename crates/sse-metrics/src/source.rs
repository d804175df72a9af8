//! Where numbers come from.

use crate::collector::Collector;

/// Where numbers come from: asked at each scrape, for what it knows at that moment.
///
/// [`Manager`](sse_core::Manager) and [`Process`](crate::Process) are sources, and so is a closure.
/// A scrape runs on the thread of whoever asked, which may be one of a runtime: so a source reads
/// counters, and neither waits nor counts what is long.
pub trait Source: Send + Sync + 'static {
    /// Puts the numbers of this moment.
    fn collect(&self, families: &mut Collector);
}

impl<F: Fn(&mut Collector) + Send + Sync + 'static> Source for F {
    fn collect(&self, families: &mut Collector) {
        self(families);
    }
}
