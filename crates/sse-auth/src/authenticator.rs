//! Who finds out who is asking.

use async_trait::async_trait;

use crate::{error::AuthError, identity::Identity, request::RequestView};

/// Finds out who is asking.
///
/// What a caller may rely on, and an implementation has to keep:
///
/// - `Ok(Some(identity))`: credentials were presented and are good.
/// - `Ok(None)`: nothing was presented that this authenticator is responsible for. The next one may
///   try, and where nobody is responsible the caller is anonymous.
/// - `Err(error)`: credentials were presented and are refused, or could not be checked. The caller
///   is not anonymous then; whether other credentials of the request can make up for it is said by
///   [`Verdict`](crate::Verdict), which also judges requests with several credentials.
///
/// The future may be dropped at any time, except that a one-time ticket may be used up by then.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Looks for credentials in a request, and checks them.
    ///
    /// # Errors
    ///
    /// When credentials were presented and are refused, or could not be checked.
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError>;
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for std::sync::Arc<A> {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        (**self).authenticate(request).await
    }
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Box<A> {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        (**self).authenticate(request).await
    }
}
