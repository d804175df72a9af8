//! Responses that are one-off streams.

use axum::{body::Body, response::Response};
use futures_core::Stream;
use sse_core::{EventItem, EventStream};

/// Responds with a one-off stream, such as the tokens of a model.
///
/// See [`sse_hyper::event_stream`].
///
/// ```
/// use axum::{Router, response::Response, routing::get};
/// use futures_util::{StreamExt, stream};
/// use sse_core::{Event, EventStream};
///
/// async fn tokens() -> Response {
///     let tokens = stream::iter(["Hello", " world"]).map(Event::text);
///     sse_axum::event_stream(EventStream::new(tokens))
/// }
///
/// let app: Router = Router::new().route("/tokens", get(tokens));
/// ```
#[must_use = "return it from the handler"]
pub fn event_stream<S>(stream: EventStream<S>) -> Response
where
    S: Stream<Item: EventItem> + Send + 'static,
{
    sse_hyper::event_stream(stream).map(Body::new)
}
