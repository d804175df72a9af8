//! Responses that are one-off streams.

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody};
use futures_core::Stream;
use sse_core::{EventItem, EventStream};

use crate::{body::EventBody, response::stream};

/// Responds with a one-off stream, such as the tokens of a model.
///
/// An error of the stream breaks the body off, so that the client does not mistake the body for a
/// complete one. No manager knows the stream, so a shutdown does not end it. The stream has until
/// the shutdown deadline to end on its own.
///
/// ```
/// use actix_web::{App, Responder, web};
/// use futures_util::{StreamExt, stream};
/// use sse_core::{Event, EventStream};
///
/// async fn tokens() -> impl Responder {
///     let tokens = stream::iter(["Hello", " world"]).map(Event::text);
///     sse_actix::event_stream(EventStream::new(tokens))
/// }
///
/// let app = App::new().route("/tokens", web::get().to(tokens));
/// ```
pub fn event_stream<S>(stream: EventStream<S>) -> SseEvents<S>
where
    S: Stream<Item: EventItem> + 'static,
{
    SseEvents(stream)
}

/// The response of [`event_stream`].
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct SseEvents<S>(EventStream<S>);

impl<S> Responder for SseEvents<S>
where
    S: Stream<Item: EventItem> + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        stream(request, EventBody { stream: self.0 })
    }
}
