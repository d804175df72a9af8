//! Whether a backplane does what every backplane does: one suite of rules for all of them.
//!
//! A backplane brings a [`Broker`], which makes logs and connects nodes to them, and
//! [`backplane_suite!`](crate::backplane_suite) makes a test of each rule. What a broker can do
//! besides is a trait each, with a group of rules.

mod harness;
mod helpers;
#[doc(hidden)]
pub mod rules;
mod scripted_backplane;

use std::{future::Future, sync::Arc};

use sse_core::{Backplane, Position, Retention};

#[doc(hidden)]
pub use harness::check;
pub use scripted_backplane::{Calls, ReadFault, Rejection, ScriptedBackplane};

/// What stands behind a backplane, for one rule: a server of its own, or a part of one that nobody
/// else uses.
///
/// Dropping it ends whatever it started.
///
/// ```
/// use std::sync::Arc;
/// use sse_core::{Backplane, MemoryBackplane, Retention};
/// use sse_testkit::backplane::{Broker, Wipe};
///
/// struct Memory(MemoryBackplane);
///
/// impl Broker for Memory {
///     async fn start(retention: Retention) -> Option<Self> {
///         Some(Self(MemoryBackplane::new(retention)))
///     }
///
///     async fn node(&self) -> Arc<dyn Backplane> {
///         Arc::new(self.0.clone())
///     }
/// }
///
/// impl Wipe for Memory {
///     async fn wipe(&mut self) {
///         self.0.clear();
///     }
/// }
///
/// sse_testkit::backplane_suite!(Memory, [retention_by_bytes, retention_by_age, wipe, wipe_in_use]);
/// ```
pub trait Broker: Sized + Send + Sync + 'static {
    /// Starts with an empty log that is kept as `retention` says. `None` skips the rule, for want
    /// of what [`executable`](crate::executable) did not find.
    fn start(retention: Retention) -> impl Future<Output = Option<Self>> + Send;

    /// A further node on the log. The rules have up to eight at once.
    ///
    /// One whose log is for one process gives out further handles to the same backplane.
    fn node(&self) -> impl Future<Output = Arc<dyn Backplane>> + Send;
}

/// A [`Broker`] whose log somebody else can trim; for the rules of `trim`.
pub trait Trim: Broker {
    /// Takes away everything up to a position, and nothing behind it.
    fn trim(&mut self, up_to: Position) -> impl Future<Output = ()> + Send;
}

/// A [`Broker`] that can lose its log; for the rules of `wipe`, and of `wipe_in_use` if nodes may
/// be using it then.
pub trait Wipe: Broker {
    /// Loses everything: the log, its keys, its epoch. For the rules of `wipe`, no node is there
    /// meanwhile.
    fn wipe(&mut self) -> impl Future<Output = ()> + Send;
}

/// A [`Broker`] that can die and come back with what it acknowledged; for the rules of `restart`,
/// and of `reconnect` if nodes outlive it.
pub trait Restart: Broker {
    /// Dies, as by `kill -9`. For the rules of `restart`, no node is there meanwhile.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;

    /// Comes back, at the same address; resolves when it can be talked to.
    fn resume(&mut self) -> impl Future<Output = ()> + Send;
}
