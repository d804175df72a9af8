//! Authentication of requests.

use std::{fmt, sync::Arc};

use sse_auth::{AuthError, Authenticator, Identity, Origins, RequestView, Tickets, Verdict};
use sse_core::{Caller, ConnectErrorKind, LoginId, UserId, id::FieldError};

use crate::denial::Denial;

/// Authenticates requests: identifies the caller, and checks that the page that made the request
/// may use its cookies. A clone is cheap.
///
/// ```
/// use sse_access::Authentication;
/// use sse_auth::{NextAuth, Origins, RequestView, Tickets};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = "a secret that the site has as well, and nobody else";
/// let calls = Authentication::new(NextAuth::builder().secret(secret).build()?).origins(Origins::new(["https://app.example.com"])?);
/// // An `EventSource` cannot send headers, so streams also accept tickets.
/// let streams = calls.clone().tickets(&Tickets::new());
///
/// let cause = streams.admit(&RequestView::new("GET")).await.unwrap_err();
/// assert_eq!(cause, sse_core::ConnectErrorKind::Unauthenticated);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Authentication {
    authenticator: Arc<dyn Authenticator>,
    tickets: Option<Tickets>,
    origins: Arc<Origins>,
    anonymous: bool,
    observer: Option<Observer>,
}

type Observer = Arc<dyn Fn(&Denial) + Send + Sync>;

impl Authentication {
    /// Creates an authentication that accepts callers whom `authenticator` recognises. Cookies are
    /// accepted only from the server's own pages.
    pub fn new(authenticator: impl Authenticator) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            tickets: None,
            origins: Arc::new(Origins::none()),
            anonymous: false,
            observer: None,
        }
    }

    /// Also accepts cookies in requests from pages of these origins.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = Arc::new(origins);
        self
    }

    /// Calls a function with the reason of each denial, instead of logging the denial. Without an
    /// observer, this crate logs the first denial of each kind in ten seconds at `info`, or at
    /// `warn` if the credentials cannot be checked, and the others at `debug`.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&Denial) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Also accepts tickets, in addition to other credentials. Use this for streams alone: a caller
    /// that came with a ticket must not be able to get further tickets.
    #[must_use]
    pub fn tickets(mut self, tickets: &Tickets) -> Self {
        self.tickets = Some(tickets.clone());
        self
    }

    /// Admits requests without credentials, as an anonymous caller. `Access` decides what an
    /// anonymous caller may do.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Returns the caller that makes a request. All credentials of the request are checked, and
    /// those that verify must be of one user ([`Verdict`]).
    ///
    /// # Errors
    /// Returns the cause with which the stream or call is rejected. The cause contains nothing that
    /// would help a forger: [`ConnectErrorKind::Unauthenticated`] (401),
    /// [`ConnectErrorKind::CrossSite`] (403), [`ConnectErrorKind::Unavailable`] (503). The reason
    /// is logged, see [`observe`](Self::observe).
    ///
    /// *Cancel safety.* A future that is dropped before it completes can have used up a ticket.
    pub async fn admit(&self, request: &RequestView<'_>) -> Result<Caller, ConnectErrorKind> {
        self.examine(request)
            .await
            .map_err(|denial| self.deny(&denial))
    }

    async fn examine(&self, request: &RequestView<'_>) -> Result<Caller, Denial> {
        let identity = self.identify(request).await.map_err(Denial::Credentials)?;
        let Some(identity) = identity else {
            return if self.anonymous {
                Ok(Caller::anonymous())
            } else {
                Err(Denial::Missing)
            };
        };
        self.origins
            .check(request, identity.credential)
            .map_err(Denial::Page)?;
        caller(&identity).map_err(Denial::User)
    }

    async fn identify(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        let Some(tickets) = &self.tickets else {
            return self.authenticator.authenticate(request).await;
        };
        let mut verdict = Verdict::new();
        verdict.add(tickets.authenticate(request).await)?;
        verdict.add(self.authenticator.authenticate(request).await)?;
        verdict.finish()
    }

    /// Returns the caller of a token that arrived outside the headers, such as in the body of a
    /// call.
    ///
    /// # Errors
    /// The same as those of [`admit`](Self::admit).
    pub async fn admit_token(&self, token: &str) -> Result<Caller, ConnectErrorKind> {
        self.admit(&RequestView::with_bearer(token)).await
    }

    /// Uses up a ticket that arrived outside the query, and returns its caller.
    ///
    /// # Errors
    /// The same as those of [`admit`](Self::admit). Every ticket is rejected if this authentication
    /// accepts no tickets.
    pub fn admit_ticket(&self, ticket: &str) -> Result<Caller, ConnectErrorKind> {
        let tickets = self.tickets.as_ref().ok_or(AuthError::Unrecognized);
        let identity = tickets
            .and_then(|tickets| tickets.take(ticket))
            .map_err(Denial::Credentials);
        let admitted = identity.and_then(|identity| caller(&identity).map_err(Denial::User));
        admitted.map_err(|denial| self.deny(&denial))
    }

    /// Returns the one caller of a request with several parts that were admitted or rejected, such
    /// as its headers and a token in its body. As in a [`Verdict`], the position of a part does not
    /// matter. A backend precedes a user, and among callers of one user, the caller that expires
    /// last counts. A rejected part is ignored if another part names a user or a backend.
    ///
    /// # Errors
    /// Returns the cause of a rejected part if no part names a user or a backend; a temporary cause
    /// precedes the others. Returns [`ConnectErrorKind::Unauthenticated`] if parts name different
    /// users, or if there are no parts.
    pub fn agree(
        &self,
        parts: impl IntoIterator<Item = Result<Caller, ConnectErrorKind>>,
    ) -> Result<Caller, ConnectErrorKind> {
        let (mut found, mut nobody, mut refused) = (None::<Caller>, None, None);
        for part in parts {
            match (part, found.take()) {
                (Ok(caller), known) if is_nobody(&caller) => {
                    (found, nobody) = (known, Some(caller));
                }
                (Ok(caller), None) => found = Some(caller),
                (Ok(caller), Some(known)) if caller.user.is_none() || known.user.is_none() => {
                    found = Some(if known.user.is_none() { known } else { caller });
                }
                (Ok(caller), Some(known)) if caller.user == known.user => {
                    let end = |caller: &Caller| caller.expires_at.unwrap_or(u64::MAX);
                    found = Some(if end(&caller) > end(&known) {
                        caller
                    } else {
                        known
                    });
                }
                (Ok(_), Some(_)) => {
                    return Err(self.deny(&Denial::Credentials(AuthError::Ambiguous)));
                }
                (Err(cause), known) => {
                    found = known;
                    // A part whose check failed for a temporary cause may be valid.
                    let says_more = refused.as_ref().is_none_or(|known: &ConnectErrorKind| {
                        !known.is_temporary() && cause.is_temporary()
                    });
                    refused = if says_more { Some(cause) } else { refused };
                }
            }
        }
        match (found, refused) {
            (Some(caller), _) => Ok(caller),
            (None, Some(cause)) => Err(cause),
            (None, None) => nobody.ok_or_else(|| self.deny(&Denial::Missing)),
        }
    }

    fn deny(&self, denial: &Denial) -> ConnectErrorKind {
        match &self.observer {
            Some(observer) => observer(denial),
            None => denial.log(),
        }
        denial.cause()
    }

    /// Returns the origins whose pages may send cookies. The same list serves for CORS.
    #[must_use]
    pub fn allowed_origins(&self) -> &Origins {
        &self.origins
    }
}

/// Converts an identity into the caller of a stream.
///
/// # Errors
/// Returns [`FieldError`] if the user's id is not valid as the id of a stream's user.
///
/// ```
/// use sse_auth::{Credential, Identity};
/// use sse_core::UserId;
///
/// let identity = Identity::new("42", Credential::Bearer);
/// let caller = sse_access::caller(&identity)?;
/// assert_eq!(caller.user, Some(UserId::new("42")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn caller(identity: &Identity) -> Result<Caller, FieldError> {
    let mut caller = Caller::anonymous();
    caller.user = identity.user.as_deref().map(UserId::new).transpose()?;
    caller.claims = identity.claims.clone();
    caller.login = identity.login.map(LoginId::from_bytes);
    caller.expires_at = identity
        .expires_at
        .map(|seconds| seconds.saturating_mul(1000));
    Ok(caller)
}

/// Returns `true` if a caller was admitted without credentials. A backend has no user either, but
/// has claims.
fn is_nobody(caller: &Caller) -> bool {
    caller.user.is_none() && caller.claims.is_empty()
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("tickets", &self.tickets.is_some())
            .field("origins", &self.origins)
            .field("anonymous", &self.anonymous)
            .finish_non_exhaustive()
    }
}
