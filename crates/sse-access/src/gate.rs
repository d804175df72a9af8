//! Who comes in.

use std::{fmt, sync::Arc};

use sse_auth::{AuthError, Authenticator, Identity, Origins, Refusal, RequestView, Tickets};
use sse_core::{Caller, Cause, FieldError, LoginId, UserId};
use tracing::{debug, warn};

/// Who comes in: finds out who is asking, and whether that page may ask. A clone is cheap.
///
/// ```
/// use sse_access::Gate;
/// use sse_auth::{NextAuth, Origins, RequestView, Tickets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = "a secret that the site has as well, and nobody else";
/// let calls = Gate::new(NextAuth::builder().secret(secret).build()?).origins(Origins::new(["https://app.example.com"])?);
/// // Where an `EventSource` comes, which cannot send headers, tickets are taken too.
/// let streams = calls.clone().tickets(&Tickets::new());
///
/// let cause = streams.admit(&RequestView::new("GET")).await.unwrap_err();
/// assert_eq!(cause, sse_core::Cause::Unauthenticated);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Gate {
    authenticator: Arc<dyn Authenticator>,
    tickets: Option<Tickets>,
    origins: Arc<Origins>,
    anonymous: bool,
}

impl Gate {
    /// Lets in whom the authenticator recognises, by cookie only from the server's own pages.
    pub fn new(authenticator: impl Authenticator) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            tickets: None,
            origins: Arc::new(Origins::none()),
            anonymous: false,
        }
    }

    /// Takes cookies also from requests of pages of these origins.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = Arc::new(origins);
        self
    }

    /// Takes tickets too, before it looks for other credentials. For streams alone: what a ticket opens must not give tickets out.
    #[must_use]
    pub fn tickets(mut self, tickets: &Tickets) -> Self {
        self.tickets = Some(tickets.clone());
        self
    }

    /// Lets in whoever presents no credentials, as nobody in particular; what that may do is decided by `Access`.
    #[must_use]
    pub fn let_anonymous_in(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Who makes a request.
    ///
    /// # Errors
    /// The cause that a stream is refused with, and nothing that would help a forger: [`Cause::Unauthenticated`] (401),
    /// [`Cause::CrossSite`] (403), [`Cause::Unavailable`] (503). The log has the reason, at `debug`, or at `warn` where it is the server's.
    ///
    /// *Cancel safety.* Dropped, it may have used a ticket up.
    pub async fn admit(&self, request: &RequestView<'_>) -> Result<Caller, Cause> {
        let identity = match &self.tickets {
            Some(tickets) => match tickets.authenticate(request).await {
                Ok(None) => self.authenticator.authenticate(request).await,
                found => found,
            },
            None => self.authenticator.authenticate(request).await,
        };
        let identity = identity.map_err(|error| refused(&error))?;
        let Some(identity) = identity else {
            return if self.anonymous { Ok(Caller::anonymous()) } else { Err(Cause::Unauthenticated) };
        };
        if let Err(error) = self.origins.check(request, identity.credential) {
            debug!(%error, "refused: a cookie from elsewhere");
            return Err(Cause::CrossSite);
        }
        self.known(&identity)
    }

    fn known(&self, identity: &Identity) -> Result<Caller, Cause> {
        caller(identity).map_err(|error| {
            debug!(%error, "refused: the user's id can be none of a stream");
            Cause::Unauthenticated
        })
    }

    /// Who is meant by a token that arrived in another way than a header, such as in the body of a call.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub async fn admit_token(&self, token: &str) -> Result<Caller, Cause> {
        self.admit(&RequestView::with_bearer(token)).await
    }

    /// Who is meant by a ticket that arrived in another way than a query, and uses it up.
    ///
    /// # Errors
    /// As [`admit`](Self::admit); nobody is meant by any where the gate takes none.
    pub fn admit_ticket(&self, ticket: &str) -> Result<Caller, Cause> {
        let identity = self.tickets.as_ref().ok_or(Cause::Unauthenticated)?.take(ticket);
        self.known(&identity.map_err(|error| refused(&error))?)
    }

    /// The sites whose pages may come with cookies; the same are those of CORS.
    #[must_use]
    pub fn allowed_origins(&self) -> &Origins {
        &self.origins
    }
}

/// An identity in the terms of streams.
///
/// # Errors
/// [`FieldError`] when the user's id cannot be the id of a stream's user.
pub fn caller(identity: &Identity) -> Result<Caller, FieldError> {
    let mut caller = Caller::anonymous();
    caller.user = identity.user.as_deref().map(UserId::new).transpose()?;
    caller.claims = identity.claims.clone();
    caller.login = identity.login.map(LoginId::from_bytes);
    caller.expires_at = identity.expires_at.map(|seconds| seconds.saturating_mul(1000));
    Ok(caller)
}

fn refused(error: &AuthError) -> Cause {
    match error.refusal() {
        Refusal::Unavailable => {
            warn!(error = error as &dyn std::error::Error, "credentials cannot be checked");
            Cause::Unavailable
        }
        _ => {
            debug!(%error, "credentials refused");
            Cause::Unauthenticated
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("tickets", &self.tickets.is_some())
            .field("origins", &self.origins)
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}
