//! Calls of subscriptions.

use sse_core::Handshake;
use tracing::Instrument as _;

use crate::{
    call_span::{end, span},
    call_stats::CallTimer,
    context::Context,
    error::Error,
    management::Management,
    registered_procedure::RegisteredProcedure,
    wire::{
        dialect::{self, Trpc},
        request_parser::Separated,
        response::{Content, Response},
    },
};

impl Management {
    pub(crate) async fn subscribe(
        &self,
        path: &str,
        (known, admitted): (&RegisteredProcedure, Result<(), Error>),
        context: Context,
        inputs: Result<Separated<'_>, Error>,
    ) -> Response {
        let span = span(path, &context);
        let under_way = CallTimer::begin(&known.tally);
        let handshake = admitted.and_then(|()| {
            let json = self.input(&inputs, 0)?;
            span.in_scope(|| known.procedure.subscribe(context, &json))
        });
        // Borrowed text of the request is not needed while the app's handler runs.
        drop(inputs);
        let connected = async {
            let result = match handshake {
                Ok(handshake) => handshake.await,
                Err(error) => Err(error),
            };
            let result = match result {
                Ok(handshake) => self.connect(handshake),
                Err(error) => Err(error),
            };
            end(Some(under_way), result.as_ref().err(), &span);
            result
        };
        match connected.instrument(span.clone()).await {
            Ok(content) => Response::events(content),
            Err(error) => self.rejected(&error, path),
        }
    }

    /// Returns the stream that reports the error, with the delay after which the client returns if
    /// the cause is temporary.
    pub(crate) fn rejected(&self, error: &Error, path: &str) -> Response {
        let spread = || error.is_temporary().then(|| self.manager.retry_delay());
        let events = dialect::failure(error, path, error.delay().or_else(spread), self.transformer);
        Response::events(Content::Whole(events.finish().event()))
    }

    fn connect(&self, handshake: Handshake) -> Result<Content, Error> {
        let handshake = handshake.dialect(Trpc::of(self.transformer));
        self.manager
            .connect(handshake)
            .map(Content::Events)
            .map_err(|refused| {
                let error = Error::from(refused.cause());
                refused
                    .retry_after()
                    .into_iter()
                    .fold(error, Error::retry_after)
            })
    }
}
