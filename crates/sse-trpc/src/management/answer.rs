//! The answer to a request.

use std::{
    borrow::Cow,
    future::Future,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::join_all;
use sse_core::{Caller, ConnectErrorKind, id::network};
use tracing::Instrument as _;

use crate::{
    bodies::{BodyShare, Holder},
    body::{self, Problem},
    call_info::CallInfo,
    call_span::{end, span},
    call_stats::CallTimer,
    context::Context,
    error::Error,
    error_code::Code,
    management::Management,
    outcome::Outcome,
    procedure::{Output, Procedure, ProcedureKind},
    registered_procedure::RegisteredProcedure,
    wire::{
        batch_stream::BatchStream,
        request::Request,
        request_parser::{ParsedCalls, ResponseForm, Separated},
        response::Response,
    },
};

/// The decision on each call of a request, in order.
type Admitted<'a> = Vec<Result<&'a RegisteredProcedure, Error>>;

impl Management {
    /// Answers a request. An error is one of the request as a whole.
    pub(crate) async fn answer<E>(
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
        if calls.form == ResponseForm::Single {
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
        let call =
            |(index, (path, admitted)): (usize, (&String, Result<&RegisteredProcedure, Error>))| {
                self.call(path, admitted, context.clone(), &inputs, index)
            };
        let running = calls.paths.iter().zip(admitted).enumerate().map(call);
        if calls.form == ResponseForm::Batch {
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
    fn admit(
        &self,
        method: &str,
        path: &str,
        context: &Context,
    ) -> Result<&RegisteredProcedure, Error> {
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
        share: &mut BodyShare,
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
        if calls.form == ResponseForm::Single {
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
        calls.form == ResponseForm::Single
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
        admitted: Result<&RegisteredProcedure, Error>,
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
