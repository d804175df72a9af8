//! Procedures.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use sse_core::{ConnectErrorKind, Handshake, Target};
use tracing::error;

use crate::{context::Context, error::Error, error_code::Code, wire::input};

/// The kind of a procedure, which determines its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcedureKind {
    /// Called with `GET`; changes nothing.
    Query,
    /// Called with `POST`.
    Mutation,
    /// Called with `GET`; the response is a stream of events.
    Subscription,
}

/// A procedure: a query or a mutation, from a typed input to a typed output, or a subscription.
///
/// An input is a JSON object; a missing input is an object without fields. An input that does not
/// deserialize results in an error that names the field, so a handler receives valid inputs only.
///
/// *Cancel safety.* The future of a handler is dropped when its client disconnects.
///
/// ```
/// use sse_core::Manager;
/// use sse_trpc::{Context, Error, Management, Procedure};
///
/// #[derive(serde::Deserialize)]
/// struct Greeting { name: String }
///
/// // Clients call `api.app.greet.useQuery({ name: 'Ada' })`.
/// let greet = Procedure::query(|_: Context, input: Greeting| async move {
///     Ok::<_, Error>(format!("Hello {}", input.name))
/// });
/// let management = Management::new(Manager::builder().build()?).procedure("app.greet", greet);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Procedure {
    kind: ProcedureKind,
    right: Right,
    /// Set if callers that authentication refused can also call the procedure, as anonymous
    /// callers.
    open_to_refused: bool,
    max_input: usize,
    handler: Handler,
}

/// The right that a caller must have, as far as it is known without the input.
#[derive(Debug, Clone)]
enum Right {
    /// No right; the handler decides.
    None,
    /// The right to manage streams.
    Manage,
    /// The right to publish: to this target or, if the target is part of the input, to at least
    /// one.
    Publish(Option<Target>),
    /// The right of a user to act for itself, or of a manager to act for others. The text describes
    /// the action.
    Own(&'static str),
}

#[derive(Clone)]
enum Handler {
    Call(Arc<InputReader<Output>>),
    Subscribe(Arc<InputReader<Handshake>>),
}

/// A function that reads an input and calls the handler.
type InputReader<T> = dyn Fn(Context, &[u8]) -> RunningCall<T> + Send + Sync;

/// A procedure call whose input has been read.
pub(crate) type RunningCall<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The output of a procedure, as JSON.
pub(crate) type Output = String;

impl Procedure {
    /// Creates a procedure that is called with `GET`.
    #[must_use]
    pub fn query<I, O, F>(handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        Self::call(ProcedureKind::Query, handler)
    }

    /// Creates a procedure that is called with `POST`.
    #[must_use]
    pub fn mutation<I, O, F>(handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        Self::call(ProcedureKind::Mutation, handler)
    }

    /// Creates a procedure whose response is a stream of events, for `httpSubscriptionLink`.
    ///
    /// The handler returns the handshake of the stream: [`Context::handshake`] with topics, or any
    /// other [`Handshake`]. The stream is an ordinary stream of the manager, with the same rules as
    /// all others. When tRPC's client reconnects, it puts `lastEventId` into the input. The handler
    /// does not receive this member: [`Context::handshake`] contains it.
    #[must_use]
    pub fn subscription<I, F>(handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        F: Future<Output = Result<Handshake, Error>> + Send + 'static,
    {
        let handler = move |context: Context, json: &[u8]| -> RunningCall<Handshake> {
            let running = input::read(json, context.limits()).map(|input| handler(context, input));
            Box::pin(async move { running?.await })
        };
        let handler = Handler::Subscribe(Arc::new(handler));
        Self::new(ProcedureKind::Subscription, handler)
    }

    /// Restricts the procedure to callers that [may manage](sse_core::access::Access::may_manage).
    /// This right is checked before the input is read.
    #[must_use]
    pub fn managers_only(mut self) -> Self {
        self.right = Right::Manage;
        self
    }

    /// Bounds the body of a call to a number of bytes; by default, only
    /// [`CallLimits::body`](crate::CallLimits::body) bounds the body. An input in a query is not
    /// affected. The bound of a batch is the largest among its calls.
    #[must_use]
    pub fn max_input(mut self, bytes: usize) -> Self {
        self.max_input = bytes;
        self
    }

    /// Restricts the procedure to callers that may publish: to this target, or to at least one if
    /// the input names the target.
    pub(crate) fn publishers_only(mut self, target: Option<Target>) -> Self {
        self.right = Right::Publish(target);
        self
    }

    /// Restricts the procedure to users and managers; `what` completes the error message "this
    /// caller may not …".
    pub(crate) fn own(mut self, what: &'static str) -> Self {
        self.right = Right::Own(what);
        self
    }

    pub(crate) fn open_to_refused(mut self) -> Self {
        self.open_to_refused = true;
        self
    }

    /// Returns the kind of the procedure.
    #[must_use]
    pub fn kind(&self) -> ProcedureKind {
        self.kind
    }

    fn call<I, O, F>(
        kind: ProcedureKind,
        handler: impl Fn(Context, I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        let handler = move |context: Context, json: &[u8]| -> RunningCall<Output> {
            let running = input::read(json, context.limits()).map(|input| handler(context, input));
            Box::pin(async move { write(&running?.await?) })
        };
        Self::new(kind, Handler::Call(Arc::new(handler)))
    }

    fn new(kind: ProcedureKind, handler: Handler) -> Self {
        Self {
            kind,
            right: Right::None,
            open_to_refused: false,
            max_input: usize::MAX,
            handler,
        }
    }

    /// Returns the maximum size of the input, in bytes.
    pub(crate) fn input_limit(&self) -> usize {
        self.max_input
    }

    /// Reads the input of a query or mutation, and calls the handler. The caller has passed
    /// [`Procedure::check`].
    pub(crate) fn run(&self, context: Context, json: &[u8]) -> Result<RunningCall<Output>, Error> {
        match &self.handler {
            Handler::Call(handler) => Ok(handler(context, json)),
            Handler::Subscribe(_) => Err(Error::new(
                Code::BadRequest,
                "Cannot batch subscription calls",
            )),
        }
    }

    /// Reads the input of a subscription, and asks the handler for the handshake of its stream. The
    /// caller has passed [`Procedure::check`].
    pub(crate) fn subscribe(
        &self,
        mut context: Context,
        json: &[u8],
    ) -> Result<RunningCall<Handshake>, Error> {
        let Handler::Subscribe(handler) = &self.handler else {
            return Err(Error::new(
                Code::InternalServerError,
                "the procedure is not a subscription",
            ));
        };
        let (id, json) = input::take_last_event_id(json)?;
        context.last_event_id = context.last_event_id.or(id);
        Ok(handler(context, &json))
    }

    /// Checks everything that is known without the input, so that the body of a caller without
    /// rights is not read.
    pub(crate) fn check(&self, context: &Context) -> Result<(), Error> {
        // A caller without accepted credentials, or whose cookies do not count because the request
        // is from another site, can identify itself in the input. A caller that is refused for
        // another reason stays refused.
        let may_say_more = self.open_to_refused
            && matches!(
                context.refused,
                Some(ConnectErrorKind::Unauthenticated | ConnectErrorKind::CrossSite(_))
            );
        if !may_say_more {
            context.admitted()?;
        }
        match &self.right {
            Right::None => Ok(()),
            Right::Manage => context.require_manage(),
            Right::Publish(Some(target)) => context.require_publish(target),
            Right::Publish(None) => context.require_publish_at_all(),
            Right::Own(_) if context.caller().user.is_some() => Ok(()),
            Right::Own(what) => context.require_manage_to(what),
        }
    }
}

impl ProcedureKind {
    /// Returns the methods of the kind. With method override, queries and subscriptions are called
    /// with `POST` as well.
    pub(crate) fn methods(self, with_override: bool) -> &'static str {
        match self {
            Self::Query | Self::Subscription if with_override => "GET, POST",
            Self::Query | Self::Subscription => "GET",
            Self::Mutation => "POST",
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

fn write<O: Serialize>(output: &O) -> Result<Output, Error> {
    serde_json::to_string(output).map_err(|error| {
        error!(%error, "failed to serialize an output");
        Error::new(Code::InternalServerError, "failed to serialize the output")
    })
}

impl fmt::Debug for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure")
            .field("kind", &self.kind)
            .field("right", &self.right)
            .finish_non_exhaustive()
    }
}
