//! Namespaces of idempotency keys.

use crate::id::names::UserId;

/// The namespace of an [idempotency key](crate::Event::with_idempotency_key).
///
/// A key is unique within its scope only: the same text in two scopes is two keys. An event is in
/// [`KeyScope::App`] unless [`Event::with_key_scope`](crate::Event::with_key_scope) sets another
/// scope. An app that accepts keys from its users must therefore set the scope.
///
/// ```
/// use sse_core::{Event, Manager, Retention, UserId, access::KeyScope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().log(Retention::default()).build()?;
/// let mallory = KeyScope::User(UserId::new("mallory")?);
///
/// let theirs = Event::text("noise").with_idempotency_key("order-7-paid").with_key_scope(mallory);
/// manager.user("mallory").publish(theirs).await?;
/// let ours = Event::text("paid").with_idempotency_key("order-7-paid");
/// assert!(!manager.user("43").publish(ours).await?.duplicate);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyScope {
    /// The app and its backends, which share one scope.
    #[default]
    App,
    /// One user. [`KeyLimits::per_user`](crate::config::KeyLimits::per_user) bounds the user's
    /// keyed publishes.
    User(UserId),
    /// All anonymous callers, bounded together like one user.
    Anonymous,
}
