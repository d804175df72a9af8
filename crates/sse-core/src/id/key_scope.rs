//! Name spaces of idempotency keys.

use crate::id::names::UserId;

/// The name space of an [idempotency key](crate::Event::idempotency_key).
///
/// A key counts within its scope alone: the same text in two scopes is two keys. An event is in
/// [`KeyScope::App`] unless [`Event::key_scope`](crate::Event::key_scope) says otherwise, so an app
/// that takes keys from its users must set the scope.
///
/// ```
/// use sse_core::{Event, KeyScope, Manager, Retention, UserId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().log(Retention::default()).build()?;
/// let mallory = KeyScope::User(UserId::new("mallory")?);
///
/// let theirs = Event::text("noise").idempotency_key("order-7-paid").key_scope(mallory);
/// manager.user("mallory").publish(theirs).await?;
/// let ours = Event::text("paid").idempotency_key("order-7-paid");
/// assert!(!manager.user("43").publish(ours).await?.duplicate);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyScope {
    /// The app itself and its backends, which share one scope.
    #[default]
    App,
    /// One user. Its keyed publishes are bounded by
    /// [`KeyLimits::per_user`](crate::KeyLimits::per_user).
    User(UserId),
    /// All callers of whom nothing is known, bounded together as if they were one user.
    Anonymous,
}
