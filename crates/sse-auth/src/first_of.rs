//! Several authenticators, one after the other.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{authenticator::Authenticator, error::AuthError, identity::Identity, request::RequestView};

/// Asks several authenticators in order; the first that finds credentials decides, whether it accepts or refuses them.
///
/// Put what clients present on purpose (tickets, API keys, bearer tokens) before cookies, which browsers add by themselves.
///
/// A request with an `Authorization` header or a `ticket` that nobody is responsible for is refused ([`AuthError::Unrecognized`]): who
/// presents credentials does not mean to be anonymous. Cookies that nobody knows are passed over, since every request is full of them.
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
        for authenticator in &self.authenticators {
            if let Some(identity) = authenticator.authenticate(request).await? {
                return Ok(Some(identity));
            }
        }
        let presented =
            request.header_value("authorization")?.is_some() || request.query_value("ticket")?.is_some();
        if presented { Err(AuthError::Unrecognized) } else { Ok(None) }
    }
}

impl fmt::Debug for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOf").field("authenticators", &self.authenticators.len()).finish()
    }
}
