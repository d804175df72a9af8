//! The trait that identifies callers.

use async_trait::async_trait;

use crate::{error::AuthError, identity::Identity, request::RequestView};

/// Identifies the caller of a request.
///
/// Callers can rely on these results, and every implementation must keep to them:
///
/// - `Ok(Some(identity))`: credentials were presented and are valid.
/// - `Ok(None)`: the request presents nothing that this authenticator is responsible for. The next
///   authenticator can try. If no authenticator is responsible, the caller is anonymous.
/// - `Err(error)`: credentials were presented and are refused, or could not be checked. The caller
///   is not anonymous in this case. [`Verdict`](crate::Verdict) decides whether other credentials
///   of the request make up for the error, and also judges requests with several credentials.
///
/// The future can be dropped at any time. A one-time ticket can be used up by then.
///
/// ```
/// use async_trait::async_trait;
/// use sse_auth::{AuthError, Authenticator, Credential, Identity, RequestView};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// Trusts the header in which the proxy in front names the user.
/// struct ProxyUser;
///
/// #[async_trait]
/// impl Authenticator for ProxyUser {
///     async fn authenticate(
///         &self,
///         request: &RequestView<'_>,
///     ) -> Result<Option<Identity>, AuthError> {
///         let user = request.header_values("x-user").next();
///         let user = user.map(|user| String::from_utf8_lossy(user).into_owned());
///         Ok(user.map(|user| Identity::new(user, Credential::Other)))
///     }
/// }
///
/// let request = RequestView::new("GET").header("x-user", "42");
/// let identity = ProxyUser.authenticate(&request).await?.unwrap();
/// assert_eq!(identity.user.as_deref(), Some("42"));
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Searches a request for credentials and checks them.
    ///
    /// # Errors
    ///
    /// Returns an error if credentials were presented and are refused, or could not be checked.
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
