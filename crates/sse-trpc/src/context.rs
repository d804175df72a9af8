//! The context of a call.

use std::{fmt, net::IpAddr, sync::Arc};

use sse_cluster::Cluster;
use sse_core::{Caller, ConnectErrorKind, Handshake, Manager, Target, access::KeyScope};

use crate::{
    credentials::Credentials, error::Error, error_code::Code, limits::CallLimits,
    wire::connection_params::ConnectionParams,
};

/// The context of a call: the manager and the caller.
///
/// ```
/// use serde_json::value::RawValue;
/// use sse_core::{Event, Manager, Target};
/// use sse_trpc::{Context, Error, Management, Procedure};
///
/// let announce = Procedure::mutation(|context: Context, data: Box<RawValue>| async move {
///     context.require_publish(&Target::All)?;
///     let event = Event::json(&data).map_err(|error| Error::field("data", error))?;
///     Ok::<_, Error>(context.manager().all().publish(event).await?.matched)
/// });
/// let manager = Manager::builder().build()?;
/// let management = Management::new(manager).procedure("app.announce", announce);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Context {
    pub(crate) manager: Manager,
    pub(crate) cluster: Cluster,
    pub(crate) limits: CallLimits,
    pub(crate) caller: Caller,
    /// The reason for which authentication refused the caller. The caller is anonymous in this
    /// case.
    pub(crate) refused: Option<ConnectErrorKind>,
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) connection_params: Option<Arc<ConnectionParams>>,
    pub(crate) last_event_id: Option<String>,
}

impl Context {
    /// Returns the manager.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Returns the cluster that the manager is a node of, or a cluster of the manager alone.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the caller.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the scope of the caller's idempotency keys, for procedures that publish under a key
    /// from the caller.
    #[must_use]
    pub fn key_scope(&self) -> KeyScope {
        self.manager.key_scope(&self.caller)
    }

    /// Returns the caller, unless authentication refused it.
    pub(crate) fn admitted(&self) -> Result<&Caller, Error> {
        match &self.refused {
            Some(cause) => Err(self.refusal(cause)),
            None => Ok(&self.caller),
        }
    }

    /// Returns an error with the retry delay of this manager's streams, if the cause is temporary.
    fn refusal(&self, cause: &ConnectErrorKind) -> Error {
        let error = Error::from(cause);
        if error.is_temporary() {
            error.retry_after(self.manager.retry_delay())
        } else {
            error
        }
    }

    pub(crate) fn credentials(&self) -> Result<&dyn Credentials, Error> {
        let missing = || {
            Error::new(
                Code::NotImplemented,
                "this server accepts no tokens or tickets",
            )
        };
        self.credentials.as_deref().ok_or_else(missing)
    }

    /// Returns the limits of calls.
    #[must_use]
    pub fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// Returns the `connectionParams` in the client's URL; `None` if the URL has none.
    #[must_use]
    pub fn connection_params(&self) -> Option<&ConnectionParams> {
        self.connection_params.as_deref()
    }

    /// Returns the handshake of a subscription, with the caller, its address, and the last event
    /// id.
    #[must_use]
    pub fn handshake(&self) -> Handshake {
        let id = self.last_event_id.as_deref().map(str::as_bytes);
        let handshake = Handshake::from_request("GET", None, id).caller(self.caller.clone());
        match self.address {
            Some(address) => handshake.address(address),
            None => handshake,
        }
    }

    /// Checks that the caller may publish to a target.
    ///
    /// # Errors
    /// Returns an error if the caller lacks the right: [`Code::Unauthorized`] for an anonymous
    /// caller (without a user and without claims), and [`Code::Forbidden`] for every other.
    pub fn require_publish(&self, target: &Target) -> Result<(), Error> {
        self.require(
            self.manager.access().may_publish(&self.caller, target),
            "publish to this target",
        )
    }

    /// Checks that the caller may publish to at least one target.
    pub(crate) fn require_publish_at_all(&self) -> Result<(), Error> {
        self.require(
            self.manager.access().may_publish_at_all(&self.caller),
            "publish",
        )
    }

    /// Checks that the caller may list and end streams of others.
    ///
    /// # Errors
    /// Returns an error if the caller lacks the right: [`Code::Unauthorized`] for an anonymous
    /// caller (without a user and without claims), and [`Code::Forbidden`] for every other.
    pub fn require_manage(&self) -> Result<(), Error> {
        self.require_manage_to("manage streams")
    }

    /// Checks that the caller is a manager; `what` completes the error message "this caller may not
    /// …".
    pub(crate) fn require_manage_to(&self, what: &str) -> Result<(), Error> {
        self.require(self.manager.access().may_manage(&self.caller), what)
    }

    fn require(&self, allowed: bool, what: &str) -> Result<(), Error> {
        if allowed {
            return Ok(());
        }
        // A backend has claims, but is not necessarily a user.
        let anonymous = self.caller.user.is_none() && self.caller.claims.is_empty();
        Err(if anonymous {
            Error::new(
                Code::Unauthorized,
                format!("anonymous callers may not {what}"),
            )
        } else {
            Error::new(Code::Forbidden, format!("this caller may not {what}"))
        })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("caller", &self.caller.user)
            .field("refused", &self.refused)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
