//! What an app hears of its users.

use sse_core::UserId;

/// What an app hears of its users.
///
/// A user is on-line with the first stream on any node, and off-line when there has been none on
/// any node for the [grace](crate::ClusterConfig::grace). Every node hears each of both, in this
/// order, once each time, by way of what it knows: about as fast as reports are
/// [gathered](crate::ClusterConfig::batch), and after a crash of the node that the user was on when
/// that node's lease has ended and then the grace. A node that starts hears of the users that are
/// on-line elsewhere as if they came. One that ends tells nothing of those who were.
///
/// While a node is cut off from the others it goes by what it knew of them.
///
/// Called one after the other, without any lock held, on a task of the cluster's, so an
/// implementation must not block: hand work to a task.
pub trait PresenceHooks: Send + Sync + 'static {
    /// A user has come on-line.
    fn online(&self, user: &UserId) {
        let _ = user;
    }

    /// A user has gone off-line.
    fn offline(&self, user: &UserId) {
        let _ = user;
    }
}
