//! The management API of a manager.

mod answer;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use sse_cluster::Cluster;
use sse_core::{Caller, ConnectErrorKind, Manager};
use tracing::debug;

use crate::{
    bodies::Bodies,
    call_info::CallInfo,
    call_stats::{CallStats, Failures},
    credentials::Credentials,
    error::Error,
    limits::CallLimits,
    procedure::Procedure,
    procedures,
    registered_procedure::RegisteredProcedure,
    wire::{
        connection_params::ConnectionParams, path_separator::PathSeparator, request::Request,
        response::Response, transformer::Transformer,
    },
};

/// The management API of a manager, which answers requests on the tRPC wire. A clone is cheap, and
/// shares the counters.
///
/// The API is a [`Source`](sse_metrics::Source) of numbers on its calls.
///
/// ```
/// use sse_core::{Caller, Manager, access::AllowAll};
/// use sse_trpc::{Body, Headers, Management, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().access(AllowAll).build()?;
/// let management = Management::new(manager);
///
/// let request = Request {
///     method: "GET",
///     path: "sse.getStats",
///     query: None,
///     headers: Headers::default(),
///     caller: Ok(Caller::anonymous()),
///     address: None,
/// };
/// let response = management.handle(request, Body::default()).await;
/// assert_eq!(response.status, 200);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Management {
    pub(crate) manager: Manager,
    pub(crate) cluster: Cluster,
    limits: CallLimits,
    bodies: Arc<Bodies>,
    body_time: Duration,
    pub(crate) transformer: Transformer,
    path_separator: PathSeparator,
    method_override: bool,
    identify: Option<Arc<Identify>>,
    credentials: Option<Arc<dyn Credentials>>,
    limit: Option<Arc<CallLimit>>,
    limit_bytes: Option<Arc<LimitBytes>>,
    procedures: Arc<HashMap<&'static str, RegisteredProcedure>>,
    /// Number of calls of unknown procedures.
    pub(crate) unknown: Arc<AtomicU64>,
    /// Failures of requests without a call.
    pub(crate) refused: Arc<Failures>,
}

/// Default timeout for a body.
const BODY_TIME: Duration = Duration::from_secs(30);

type Identify =
    dyn Fn(ConnectionParams, Result<Caller, ConnectErrorKind>) -> Identifying + Send + Sync;
type CallLimit = dyn Fn(&CallInfo<'_>) -> Result<(), ConnectErrorKind> + Send + Sync;
type LimitBytes = dyn Fn(&Caller, usize) -> Result<(), Duration> + Send + Sync;
type Identifying = Pin<Box<dyn Future<Output = Result<Caller, Error>> + Send>>;

impl Management {
    /// Creates the API of a manager, with default limits. [`Manager::access`] decides the rights of
    /// callers.
    #[must_use]
    pub fn new(manager: Manager) -> Self {
        Self {
            cluster: Cluster::alone(&manager),
            manager,
            limits: CallLimits::default(),
            bodies: Arc::new(Bodies::new(&CallLimits::default())),
            body_time: BODY_TIME,
            transformer: Transformer::default(),
            path_separator: PathSeparator::default(),
            method_override: false,
            identify: None,
            credentials: None,
            limit: None,
            limit_bytes: None,
            procedures: Arc::new(
                procedures::all()
                    .map(|(path, procedure)| (path, procedure.into()))
                    .into(),
            ),
            unknown: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// Extends `getStats`, `getConnections`, `disconnect`, `join`, `leave` and `renew` to all nodes
    /// of a cluster, of which the manager is a node. Without a cluster, these procedures cover the
    /// manager alone.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = cluster;
        self
    }

    /// Sets the limits of calls.
    #[must_use]
    pub fn limits(mut self, limits: CallLimits) -> Self {
        self.limits = limits;
        self.bodies = Arc::new(Bodies::new(&limits));
        self
    }

    /// Sets the timeout for a body; 30 seconds by default. Without a timeout, clients that send a
    /// byte now and then could hold their connections for ever.
    #[must_use]
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.body_time = time;
        self
    }

    /// Sets the representation of data in JSON; plain by default. Apps created with create-t3-app
    /// use superjson.
    #[must_use]
    pub fn transformer(mut self, transformer: Transformer) -> Self {
        self.transformer = transformer;
        self
    }

    /// Sets the separator between the parts of a procedure's name in a URL; a dot by default.
    #[must_use]
    pub fn path_separator(mut self, separator: PathSeparator) -> Self {
        self.path_separator = separator;
        self
    }

    /// Also allows `POST` for queries and subscriptions; off by default. Clients with
    /// `methodOverride: 'POST'` use `POST` if an input is too long for a URL.
    #[must_use]
    pub fn method_override(mut self, allowed: bool) -> Self {
        self.method_override = allowed;
        self
    }

    /// Identifies the caller from the `connectionParams` in a URL, with which tRPC's clients
    /// identify themselves because an `EventSource` sends no headers. The function receives the
    /// caller of the request, or [`ConnectErrorKind::Unauthenticated`]. It is called only for a
    /// subscription with `connectionParams`, and not if authentication refused the caller for
    /// another reason. An error is returned to the client.
    #[must_use]
    pub fn identify<F>(
        mut self,
        identify: impl Fn(ConnectionParams, Result<Caller, ConnectErrorKind>) -> F
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Caller, Error>> + Send + 'static,
    {
        self.identify = Some(Arc::new(move |params, caller| {
            Box::pin(identify(params, caller))
        }));
        self
    }

    /// Sets the functions of authentication that `createTicket`, and `renew` with a token, require.
    /// Without them, these calls return `NOT_IMPLEMENTED`. `renew` without a token uses the
    /// credentials of the call itself.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Sets a function that is called before a request is executed. An error, such as
    /// [`ConnectErrorKind::RateLimit`] for a caller that makes requests too often, fails every call
    /// of the request, as if authentication had refused the caller.
    #[must_use]
    pub fn limit(
        mut self,
        limit: impl Fn(&CallInfo<'_>) -> Result<(), ConnectErrorKind> + Send + Sync + 'static,
    ) -> Self {
        self.limit = Some(Arc::new(limit));
        self
    }

    /// Bounds the bytes that a caller sends in bodies. The function is called once per request with
    /// the length of its body, before the body is read if its length is declared. It is not called
    /// for callers whom authentication refused. An error is the time to wait, and every call of the
    /// request fails with `TOO_MANY_REQUESTS`.
    #[must_use]
    pub fn limit_bytes(
        mut self,
        limit: impl Fn(&Caller, usize) -> Result<(), Duration> + Send + Sync + 'static,
    ) -> Self {
        self.limit_bytes = Some(Arc::new(limit));
        self
    }

    /// Adds a procedure of the app's own, or replaces one.
    #[must_use]
    pub fn procedure(mut self, path: &'static str, procedure: Procedure) -> Self {
        Arc::make_mut(&mut self.procedures).insert(path, procedure.into());
        self
    }

    /// Answers a request. Every request is answered, whatever its content.
    ///
    /// The body is a stream of chunks, or a [`Body`](crate::Body) in memory; an error of the stream
    /// means that the body broke off. The body is polled only after the head of the request has
    /// been accepted. It is not polled for a `GET`, if the procedure is unknown or called with the
    /// wrong method, if the caller was refused or has no right to any of the calls, or if the
    /// limits leave no room for its bytes (see [`CallLimits::bodies`]). The body of `renew` is read
    /// even if the caller is not authenticated. The body is dropped before the response is
    /// returned, so the server must then close the connection or discard the rest, as hyper and
    /// Actix do.
    ///
    /// *Cancel safety.* Dropping the future before its first poll has no effect. If the future is
    /// dropped later, an event that was being published still reaches all its streams, and a
    /// `disconnect` can leave some streams connected.
    ///
    /// A call whose future was dropped before its end counts as one whose client disconnected.
    pub async fn handle<E>(
        &self,
        request: Request<'_>,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Response {
        if request.method == "HEAD" {
            return Response::empty();
        }
        match self.answer(&request, body).await {
            Ok(response) => response,
            Err(error) => {
                self.refused.add(error.code());
                debug!(code = error.code().as_str(), "request refused");
                Response::failure(&error, self.transformer)
            }
        }
    }

    pub(crate) fn tallies(&self) -> impl Iterator<Item = (&'static str, &CallStats)> {
        self.procedures
            .iter()
            .map(|(path, known)| (*path, &*known.tally))
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("limits", &self.limits)
            .field("transformer", &self.transformer)
            .field("procedures", &self.procedures.len())
            .finish_non_exhaustive()
    }
}
