//! The management API of a manager.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::join_all;
use sse_cluster::Cluster;
use sse_core::{Caller, ConnectErrorKind, Manager, UserId, id::network};
use tracing::{Instrument as _, Span, debug, debug_span, field};

use crate::{
    bodies::{Bodies, Holder, Share},
    body::{self, Problem},
    call_info::CallInfo,
    call_stats::{CallStats, CallTimer, Failures},
    context::Context,
    credentials::Credentials,
    error::Error,
    error_code::Code,
    limits::Limits,
    outcome::Outcome,
    procedure::{Output, Procedure, ProcedureKind},
    procedures,
    wire::{
        batch_stream::BatchStream,
        connection_params::ConnectionParams,
        path_separator::PathSeparator,
        request::Request,
        request_parser::{Form, ParsedCalls, Separated},
        response::Response,
        transformer::Transformer,
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
    limits: Limits,
    bodies: Arc<Bodies>,
    body_time: Duration,
    pub(crate) transformer: Transformer,
    path_separator: PathSeparator,
    method_override: bool,
    identify: Option<Arc<Identify>>,
    credentials: Option<Arc<dyn Credentials>>,
    limit: Option<Arc<Limit>>,
    limit_bytes: Option<Arc<LimitBytes>>,
    procedures: Arc<HashMap<&'static str, Known>>,
    /// Number of calls of unknown procedures.
    pub(crate) unknown: Arc<AtomicU64>,
    /// Failures of requests without a call.
    pub(crate) refused: Arc<Failures>,
}

/// A known procedure, and the counts of its calls.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) procedure: Procedure,
    pub(crate) tally: Arc<CallStats>,
}

/// Default timeout for a body.
const BODY_TIME: Duration = Duration::from_secs(30);

type Identify =
    dyn Fn(ConnectionParams, Result<Caller, ConnectErrorKind>) -> Identifying + Send + Sync;
type Limit = dyn Fn(&CallInfo<'_>) -> Result<(), ConnectErrorKind> + Send + Sync;
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
            limits: Limits::default(),
            bodies: Arc::new(Bodies::new(&Limits::default())),
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
    pub fn limits(mut self, limits: Limits) -> Self {
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
    /// limits leave no room for its bytes (see [`Limits::bodies`]). The body of `renew` is read
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

    /// Answers a request. An error is one of the request as a whole.
    async fn answer<E>(
        &self,
        request: &Request<'_>,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Response, Error> {
        let mut calls = ParsedCalls::parse(request, &self.limits, self.path_separator)?;
        self.check_kinds(&calls)?;
        let context = match self.context(request, &mut calls).await {
            Ok(context) => context,
            // An `EventSource` does not reconnect after an error status.
            Err(error) if error.is_temporary() && self.is_subscription(&calls) => {
                self.refused.add(error.code());
                return Ok(self.rejected(&error, &calls.paths[0]));
            }
            Err(error) => return Err(error),
        };
        let admitted: Admitted<'_> = calls
            .paths
            .iter()
            .map(|path| self.admit(request.method, path, &context))
            .collect();
        let mut share = self.bodies.share(holder(&context));
        let body = match self.input_limit(&calls, &admitted) {
            Some(limit) => self.read(request, body, limit, &context, &mut share).await,
            None => Ok(Bytes::new()),
        };
        let body = match body {
            Ok(bytes) => Ok(bytes),
            Err(Problem::Refused(error)) => Err(error),
            Err(Problem::BrokenOff) => return Err(body::broken_off()),
        };
        let inputs = calls.inputs(&body, &self.limits);
        let mut admitted = admitted.into_iter();
        if calls.form == Form::Single {
            let (path, admitted) = (
                &calls.paths[0],
                admitted.next().unwrap_or_else(|| Err(not_found(""))),
            );
            return Ok(match self.procedures.get(&**path) {
                Some(known) if known.procedure.kind() == ProcedureKind::Subscription => {
                    self.subscribe(path, (known, admitted.map(drop)), context, inputs)
                        .await
                }
                _ => {
                    let outcome = self.call(path, admitted, context, &inputs, 0).await;
                    Response::single(&outcome, self.transformer)
                }
            });
        }
        let call = |(index, (path, admitted)): (usize, (&String, Result<&Known, Error>))| {
            self.call(path, admitted, context.clone(), &inputs, index)
        };
        let running = calls.paths.iter().zip(admitted).enumerate().map(call);
        if calls.form == Form::Batch {
            return Ok(Response::batch(&join_all(running).await, self.transformer));
        }
        Ok(Response::lines(BatchStream::new(
            running,
            calls.form,
            self.transformer,
            share,
        )))
    }

    /// Accepts or refuses a call as far as that is possible without its input.
    fn admit(&self, method: &str, path: &str, context: &Context) -> Result<&Known, Error> {
        let known = self.procedures.get(path).ok_or_else(|| not_found(path))?;
        self.check_method(method, path, &known.procedure)?;
        known.procedure.check(context)?;
        Ok(known)
    }

    /// Returns the maximum size of the body; `None` if no admitted call needs one.
    fn input_limit(&self, calls: &ParsedCalls<'_>, admitted: &Admitted<'_>) -> Option<usize> {
        let limits = admitted
            .iter()
            .flatten()
            .map(|known| known.procedure.input_limit());
        Some(
            limits
                .max()
                .filter(|_| calls.need_body())?
                .min(self.limits.body),
        )
    }

    async fn read<E>(
        &self,
        request: &Request<'_>,
        body: impl Stream<Item = Result<Bytes, E>>,
        limit: usize,
        context: &Context,
        share: &mut Share,
    ) -> Result<Bytes, Problem> {
        let declared = request.headers.content_length();
        if let Some(length) = declared.filter(|length| *length <= limit) {
            self.may_send(context, length)?;
        }
        let bytes = body::read(body, declared, limit, self.body_time, share).await?;
        if declared.is_none() {
            self.may_send(context, bytes.len())?;
        }
        Ok(bytes)
    }

    fn may_send(&self, context: &Context, bytes: usize) -> Result<(), Error> {
        let Some(limit) = self
            .limit_bytes
            .as_ref()
            .filter(|_| context.refused.is_none())
        else {
            return Ok(());
        };
        limit(&context.caller, bytes).map_err(|wait| {
            Error::new(Code::TooManyRequests, "this caller sends too many bytes").retry_after(wait)
        })
    }

    /// Checks that a batch consists of queries alone or of mutations alone.
    fn check_kinds(&self, calls: &ParsedCalls<'_>) -> Result<(), Error> {
        if calls.form == Form::Single {
            return Ok(());
        }
        let mut kinds: Vec<_> = Vec::new();
        for known in calls
            .paths
            .iter()
            .filter_map(|path| self.procedures.get(&**path))
        {
            let kind = known.procedure.kind().as_str();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.len() > 1 {
            let message = format!("Cannot mix procedure types in call: {}", kinds.join(", "));
            return Err(Error::new(Code::BadRequest, message));
        }
        Ok(())
    }

    /// Returns `true` if a request consists of one subscription.
    fn is_subscription(&self, calls: &ParsedCalls<'_>) -> bool {
        let known = self.procedures.get(&*calls.paths[0]);
        calls.form == Form::Single
            && known.is_some_and(|it| it.procedure.kind() == ProcedureKind::Subscription)
    }

    async fn context(
        &self,
        request: &Request<'_>,
        calls: &mut ParsedCalls<'_>,
    ) -> Result<Context, Error> {
        let params = calls.connection_params.take();
        let known = self.procedures.get(&*calls.paths[0]);
        let kind = known.map(|known| known.procedure.kind());
        let mut caller = request.caller.clone();
        // A ticket in `connectionParams` is for one stream and cannot make calls. A caller that is
        // refused for another reason than missing authentication stays refused.
        if let (Some(identify), Some(params)) = (&self.identify, &params)
            && self.is_subscription(calls)
            && matches!(caller, Ok(_) | Err(ConnectErrorKind::Unauthenticated))
        {
            caller = Ok(identify(params.clone(), caller).await?);
        }
        if let Some(limit) = &self.limit {
            let (address, count) = (request.address, calls.paths.len());
            limit(&CallInfo {
                caller: caller.as_ref(),
                address,
                calls: count,
                kind,
            })
            .unwrap_or_else(|cause| caller = Err(cause));
        }
        let (caller, refused) = match caller {
            Ok(caller) => (caller, None),
            Err(cause) => (Caller::anonymous(), Some(cause)),
        };
        Ok(Context {
            manager: self.manager.clone(),
            cluster: self.cluster.clone(),
            limits: self.limits,
            caller,
            refused,
            credentials: self.credentials.clone(),
            address: request.address,
            connection_params: params.map(Arc::new),
            last_event_id: calls.last_event_id.as_deref().map(str::to_owned),
        })
    }

    /// Reads the input, and returns a future that no longer borrows from the request.
    fn call(
        &self,
        path: &str,
        admitted: Result<&Known, Error>,
        context: Context,
        inputs: &Result<Separated<'_>, Error>,
        index: usize,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let known = self.procedures.get_key_value(path);
        // The span has the procedure's name, not the caller's text, because the name is a label.
        let span = span(known.map_or("", |(path, _)| path), &context);
        let under_way = known.map(|(_, known)| CallTimer::begin(&known.tally));
        if known.is_none() {
            self.unknown.fetch_add(1, Ordering::Relaxed);
        }
        let running = admitted.and_then(|known| {
            let json = self.input(inputs, index)?;
            span.in_scope(|| known.procedure.run(context, &json))
        });
        let (path, called) = (path.to_owned(), span.clone());
        let outcome = async move {
            let result: Result<Output, Error> = match running {
                Ok(running) => running.await,
                Err(error) => Err(error),
            };
            end(under_way, result.as_ref().err(), &called);
            Outcome { path, result }
        };
        outcome.instrument(span)
    }

    fn check_method(&self, method: &str, path: &str, procedure: &Procedure) -> Result<(), Error> {
        let kind = procedure.kind();
        let methods = kind.methods(self.method_override);
        if methods.split(", ").any(|allowed| allowed == method) {
            return Ok(());
        }
        let message = format!(
            "Unsupported {method}-request to {} procedure at path \"{path}\"",
            kind.as_str()
        );
        Err(Error::new(Code::MethodNotSupported, message).allow(methods))
    }

    pub(crate) fn input<'a>(
        &self,
        inputs: &'a Result<Separated<'_>, Error>,
        index: usize,
    ) -> Result<Cow<'a, [u8]>, Error> {
        self.transformer
            .unwrap(inputs.as_ref().map_err(Clone::clone)?.get(index))
    }
}

/// The decision on each call of a request, in order.
type Admitted<'a> = Vec<Result<&'a Known, Error>>;

/// Returns the holder for whom a body's bytes are counted.
fn holder(context: &Context) -> Holder {
    let caller = &context.caller;
    if context.refused.is_none() && context.manager.access().may_manage(caller) {
        return Holder::Manager;
    }
    match &caller.user {
        Some(user) => Holder::User(user.clone()),
        None => Holder::Address(context.address.map(network)),
    }
}

fn not_found(path: &str) -> Error {
    Error::new(
        Code::NotFound,
        format!("No procedure found on path \"{path}\""),
    )
}

/// Creates the span of a call: the caller from the start, the result at the end.
pub(crate) fn span(procedure: &str, context: &Context) -> Span {
    let user_id = context.caller.user.as_ref().map(UserId::as_str);
    debug_span!(
        "trpc",
        procedure,
        user_id,
        code = field::Empty,
        elapsed_us = field::Empty
    )
}

/// Counts a call, unless its procedure is unknown, and logs the call. If this crate's span is
/// disabled, the current span can be the app's.
pub(crate) fn end(call: Option<CallTimer>, error: Option<&Error>, span: &Span) {
    if let Some(elapsed) = call.map(|call| call.end(error)) {
        span.record(
            "elapsed_us",
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        );
    }
    span.record("code", error.map_or("OK", |error| error.code().as_str()));
    debug!("procedure called");
}

impl From<Procedure> for Known {
    fn from(procedure: Procedure) -> Self {
        Self {
            procedure,
            tally: Arc::default(),
        }
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
