//! Several authenticators in a row.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    authenticator::Authenticator, error::AuthError, identity::Identity, request::RequestView,
    verdict::Verdict,
};

/// An authenticator that asks several others, and accepts the caller on whom their results agree.
/// [`Verdict`] is the rule for requests with several credentials. The first authenticator that
/// finds credentials does not decide alone.
///
/// A request with a bearer token or a `ticket` that no authenticator is responsible for is refused
/// ([`AuthError::Unrecognized`]): a caller that presents credentials does not intend to be
/// anonymous. Unknown cookies are ignored, because every request contains many of them. Other
/// schemes of `Authorization` are ignored too, because a proxy in front may have added them for its
/// own use.
///
/// ```
/// use sse_auth::{ApiKey, Authenticator, Credential, FirstOf, Identity, RequestView, Tickets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tickets = Tickets::new();
/// let key = ApiKey::new("0123456789abcdef0123456789abcdef")?;
/// let callers = FirstOf::new().or(tickets.clone()).or(key);
///
/// let ticket = tickets.issue(&Identity::new("42", Credential::Bearer))?;
/// let query = format!("ticket={}", ticket.as_str());
/// let request = RequestView::new("GET").query(query.as_str());
/// let identity = callers.authenticate(&request).await?.unwrap();
/// assert_eq!(identity.user.as_deref(), Some("42"));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct FirstOf {
    authenticators: Vec<Arc<dyn Authenticator>>,
}

impl FirstOf {
    /// Creates a list without authenticators: callers without credentials are anonymous.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an authenticator, which is asked after the others.
    #[must_use]
    pub fn or(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticators.push(Arc::new(authenticator));
        self
    }
}

#[async_trait]
impl Authenticator for FirstOf {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let mut verdict = Verdict::new();
        for authenticator in &self.authenticators {
            verdict.add(authenticator.authenticate(request).await)?;
        }
        let presented = || {
            request.bearer_tokens().next().is_some()
                || request.query_values("ticket").next().is_some()
        };
        match verdict.finish()? {
            None if presented() => Err(AuthError::Unrecognized),
            found => Ok(found),
        }
    }
}

impl fmt::Debug for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOf")
            .field("authenticators", &self.authenticators.len())
            .finish()
    }
}
