//! Hooks that notify an app of its users.

use sse_core::UserId;

/// Hooks that notify an app of its users.
///
/// A user is on-line with the first stream on any node. A user is off-line after having had no
/// stream on any node for the [grace](crate::ClusterConfig::grace). Every node calls both hooks in
/// turn, `online` first, once for each change. Calls follow the reports that the node receives,
/// about as fast as reports are [gathered](crate::ClusterConfig::batch). After a crash of the
/// user's node, `offline` is called when that node's lease has ended and the grace has passed. A
/// starting node calls `online` for the users that are on-line elsewhere. A stopping node calls no
/// hook for its users.
///
/// A node that is cut off from the others keeps its last known state of them.
///
/// Hooks are called sequentially on a task of the cluster, without any lock held. An implementation
/// must not block: it must move work to another task. A hook that panics is logged, and later hooks
/// are still called.
///
/// ```
/// use sse_cluster::{ClusterConfig, PresenceHooks};
/// use sse_core::UserId;
///
/// struct Log;
///
/// impl PresenceHooks for Log {
///     fn online(&self, user: &UserId) {
///         println!("{user} is on-line");
///     }
///
///     fn offline(&self, user: &UserId) {
///         println!("{user} is off-line");
///     }
/// }
///
/// let config = ClusterConfig::new().hooks(Log);
/// ```
pub trait PresenceHooks: Send + Sync + 'static {
    /// Called when a user has come on-line.
    fn online(&self, user: &UserId) {
        let _ = user;
    }

    /// Called when a user has gone off-line.
    fn offline(&self, user: &UserId) {
        let _ = user;
    }
}
