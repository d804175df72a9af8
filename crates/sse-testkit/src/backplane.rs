//! A suite of rules that every backplane must keep.
//!
//! A backplane supplies a [`Broker`], which creates logs and connects nodes to them.
//! [`backplane_suite!`](crate::backplane_suite) creates a test for each rule. Each further
//! capability of a broker is a trait, with a group of rules.

mod harness;
mod helpers;
#[doc(hidden)]
pub mod rules;
mod scripted_backplane;

use std::{future::Future, sync::Arc};

use sse_core::{
    Retention,
    backplane::{Backplane, Position},
};

#[doc(hidden)]
pub use harness::check;
pub use scripted_backplane::{Calls, ReadFault, ScriptedBackplane, ScriptedError};

/// The storage of a backplane, for one rule: a separate server, or a part of a server that no other
/// test uses.
///
/// A drop ends everything that the broker started.
///
/// ```
/// use std::sync::Arc;
/// use sse_core::{Retention, backplane::{Backplane, MemoryBackplane}};
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
    /// Starts a broker with an empty log that is kept according to `retention`. Returns `None` to
    /// skip the rule, if [`executable`](crate::executable) did not find a program.
    fn start(retention: Retention) -> impl Future<Output = Option<Self>> + Send;

    /// Returns a further node on the log. The rules have up to eight nodes at once.
    ///
    /// A broker whose log lives in one process returns further handles to the same backplane.
    fn node(&self) -> impl Future<Output = Arc<dyn Backplane>> + Send;
}

/// A [`Broker`] whose log can be trimmed from outside; for the rules of `trim`.
pub trait Trim: Broker {
    /// Removes everything up to a position, and nothing after it.
    fn trim(&mut self, up_to: Position) -> impl Future<Output = ()> + Send;
}

/// A [`Broker`] that can lose its log; for the rules of `wipe`, and of `wipe_in_use` if nodes may
/// use the log at that moment.
pub trait Wipe: Broker {
    /// Loses everything: the log, its keys, its epoch. For the rules of `wipe`, no node exists
    /// meanwhile.
    fn wipe(&mut self) -> impl Future<Output = ()> + Send;
}

/// A [`Broker`] that can crash and recover with everything that it acknowledged; for the rules of
/// `restart`, and of `reconnect` if nodes outlive the broker.
pub trait Restart: Broker {
    /// Crashes, as by `kill -9`. For the rules of `restart`, no node exists meanwhile.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;

    /// Restarts at the same address; resolves when the broker is reachable.
    fn resume(&mut self) -> impl Future<Output = ()> + Send;
}
