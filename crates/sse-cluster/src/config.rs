//! Configuration of a cluster.

use std::{fmt, sync::Arc, time::Duration};

use crate::hooks::PresenceHooks;

/// Configuration of a node in its cluster. All nodes should have the same times. A time outside its
/// range is clamped.
///
/// ```
/// use std::time::Duration;
///
/// use sse_cluster::ClusterConfig;
///
/// let config = ClusterConfig::new()
///     .name("10.0.0.7:8080")
///     .term(Duration::from_secs(5))
///     .grace(Duration::from_secs(30));
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClusterConfig {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) term: Duration,
    pub(crate) batch: Duration,
    pub(crate) timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) hooks: Option<Arc<dyn PresenceHooks>>,
}

/// Maximum number of bytes of a name. Longer names are cut.
const MOST_NAME_BYTES: usize = 128;

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            name: None,
            term: Duration::from_secs(10),
            batch: Duration::from_millis(100),
            timeout: Duration::from_secs(3),
            grace: Duration::from_secs(10),
            hooks: None,
        }
    }
}

impl ClusterConfig {
    /// Creates a configuration with defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the node in statistics, for example `10.0.0.7:8080`; no name by default. A
    /// name longer than 128 bytes is cut. The name has no other effect; nodes are identified by
    /// ids.
    pub fn name(mut self, name: &str) -> Self {
        let end = name.floor_char_boundary(MOST_NAME_BYTES);
        self.name = Some(name[..end].into());
        self
    }

    /// Sets the term of the node's lease. A silent node counts as connected for this time: 10
    /// seconds by default, 1 second to 10 minutes. Leases are checked at random intervals of up to
    /// a third of the term.
    pub fn term(mut self, term: Duration) -> Self {
        self.term = term.clamp(Duration::from_secs(1), Duration::from_secs(600));
        self
    }

    /// Sets the time for which changes are gathered into a report: 100 ms by default, 10 ms to 10
    /// seconds.
    pub fn batch(mut self, batch: Duration) -> Self {
        self.batch = batch.clamp(Duration::from_millis(10), Duration::from_secs(10));
        self
    }

    /// Sets the timeout for replies of other nodes: 3 seconds by default, 100 ms to 1 minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(Duration::from_millis(100), Duration::from_secs(60));
        self
    }

    /// Sets the time without a stream after which a user is off-line: 10 seconds by default, at
    /// most a day.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace.min(Duration::from_secs(24 * 60 * 60));
        self
    }

    /// Sets the hooks that are called when users come on-line and go off-line; none by default.
    pub fn hooks(mut self, hooks: impl PresenceHooks) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("name", &self.name)
            .field("term", &self.term)
            .field("batch", &self.batch)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("hooks", &self.hooks.is_some())
            .finish()
    }
}
