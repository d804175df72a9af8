//! What can be called.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use tracing::error;

use crate::{code::Code, context::Context, error::Error, input};

/// How a procedure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// With `GET`; changes nothing.
    Query,
    /// With `POST`.
    Mutation,
}

/// What can be called: a query or a mutation, from a typed input to a typed output.
///
/// An input is a JSON object; no input is one without fields. What does not deserialize is answered with an error that names
/// the field, so a handler sees sound inputs only.
///
/// *Cancel safety.* The future of a handler is dropped when its client goes away.
#[derive(Clone)]
pub struct Procedure {
    kind: Kind,
    managers_only: bool,
    handler: Arc<Handler>,
}

type Handler = dyn Fn(Context, &[u8]) -> Running + Send + Sync;
type Running = Pin<Box<dyn Future<Output = Result<Output, Error>> + Send>>;

/// What a procedure gives, as JSON.
pub(crate) type Output = Box<RawValue>;

impl Procedure {
    /// A procedure that is called with `GET`.
    #[must_use]
    pub fn query<I, O, F>(handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        Self::new(Kind::Query, handler)
    }

    /// A procedure that is called with `POST`.
    #[must_use]
    pub fn mutation<I, O, F>(handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        Self::new(Kind::Mutation, handler)
    }

    /// Only for callers that [may manage](sse_core::Access::may_manage); asked before the input is read.
    #[must_use]
    pub fn managers_only(mut self) -> Self {
        self.managers_only = true;
        self
    }

    /// How it is called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn new<I, O, F>(kind: Kind, handler: impl Fn(Context, I) -> F + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Future<Output = Result<O, Error>> + Send + 'static,
    {
        let handler = move |context: Context, json: &[u8]| -> Running {
            let running = input::read(json, context.limits()).map(|input| handler(context, input));
            Box::pin(async move { write(&running?.await?) })
        };
        Self { kind, managers_only: false, handler: Arc::new(handler) }
    }

    pub(crate) async fn run(&self, context: Context, json: &[u8]) -> Result<Output, Error> {
        if self.managers_only {
            context.require_manage()?;
        }
        (self.handler)(context, json).await
    }
}

impl Kind {
    /// The method it is called with.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Query => "GET",
            Self::Mutation => "POST",
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
        }
    }
}

fn write<O: Serialize>(output: &O) -> Result<Output, Error> {
    to_raw_value(output).map_err(|error| {
        error!(%error, "an output does not serialize");
        Error::new(Code::InternalServerError, "the output does not serialize")
    })
}

impl fmt::Debug for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure")
            .field("kind", &self.kind)
            .field("managers_only", &self.managers_only)
            .finish_non_exhaustive()
    }
}
