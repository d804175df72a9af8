//! Several authenticators, one after the other.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    authenticator::Authenticator, error::AuthError, identity::Identity, request::RequestView,
    verdict::Verdict,
};

/// Asks several authenticators, and lets in whom their answers agree on: see [`Verdict`], which is
/// the rule for requests with several credentials. The first that finds credentials does not decide
/// alone.
///
/// A request with a bearer token or a `ticket` that nobody is responsible for is refused
/// ([`AuthError::Unrecognized`]): who presents credentials does not mean to be anonymous. Cookies
/// that nobody knows are passed over, since every request is full of them, and so are other schemes
/// of `Authorization`, which a proxy in front may have added for itself.
#[derive(Clone, Default)]
pub struct FirstOf {
    authenticators: Vec<Arc<dyn Authenticator>>,
}

impl FirstOf {
    /// Nobody yet: everybody without credentials is anonymous.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, to be asked after the others.
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
