//! The management API of a manager.

use std::{collections::HashMap, sync::Arc};

use sse_core::{Caller, Manager};
use tracing::{Instrument as _, Span, debug, debug_span, field};

use crate::{
    call::Call,
    code::Code,
    context::Context,
    error::Error,
    limits::Limits,
    procedure::{Output, Procedure},
    procedures,
    request::Request,
    response::Response,
};

/// The management API of a manager: answers requests on the tRPC wire. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Management {
    manager: Manager,
    limits: Limits,
    procedures: Arc<HashMap<&'static str, Procedure>>,
}

impl Management {
    /// The API of a manager, with default limits. What a caller may do is decided by [`Manager::access`].
    #[must_use]
    pub fn new(manager: Manager) -> Self {
        let procedures = Arc::new(procedures::all().into());
        Self { manager, limits: Limits::default(), procedures }
    }

    /// Sets how much a call may ask for.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a procedure of the app's, or replaces one.
    #[must_use]
    pub fn procedure(mut self, path: &'static str, procedure: Procedure) -> Self {
        Arc::make_mut(&mut self.procedures).insert(path, procedure);
        self
    }

    /// How many bytes of a body are worth reading; of a longer one say [`Body::TooLarge`](crate::Body::TooLarge).
    #[must_use]
    pub fn body_limit(&self) -> usize {
        self.limits.body
    }

    /// Answers a request. Whatever is in it, there is an answer.
    ///
    /// *Cancel safety.* Dropping the future before its first poll does nothing. Dropped later, an event that was being published still
    /// reaches all its streams; a `disconnect` may leave some as they are.
    pub async fn handle(&self, request: Request<'_>) -> Response {
        if request.method == "HEAD" {
            return Response::empty();
        }
        let call = match Call::parse(&request) {
            Ok(call) => call,
            Err(error) => return Response::failure(&error, None),
        };
        match self.run(&call, request.method, &request.caller).await {
            Ok(output) => Response::success(&output),
            Err(error) => Response::failure(&error, Some(&call.path)),
        }
    }

    async fn run(&self, call: &Call<'_>, method: &str, caller: &Caller) -> Result<Output, Error> {
        let Some((path, procedure)) = self.procedures.get_key_value(&*call.path) else {
            return Err(Error::new(Code::NotFound, format!("No procedure found on path \"{}\"", call.path)));
        };
        let span = debug_span!("trpc", procedure = path, code = field::Empty);
        let answer = async {
            let result = self.run_procedure(path, procedure, call, method, caller).await;
            let code = result.as_ref().map_or_else(|error| error.code().as_str(), |_| "OK");
            Span::current().record("code", code);
            debug!("called");
            result
        };
        answer.instrument(span).await
    }

    async fn run_procedure(
        &self,
        path: &str,
        procedure: &Procedure,
        call: &Call<'_>,
        method: &str,
        caller: &Caller,
    ) -> Result<Output, Error> {
        let kind = procedure.kind();
        if method != kind.method() {
            let kind_name = kind.as_str();
            let message = format!("Unsupported {method}-request to {kind_name} procedure at path \"{path}\"");
            return Err(Error::new(Code::MethodNotSupported, message).allow(kind.method()));
        }
        let context = Context::new(self.manager.clone(), self.limits, caller.clone());
        procedure.run(context, call.input()?).await
    }
}
