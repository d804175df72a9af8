//! Responses to requests for a stream.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use sse_core::{ConnectError, Session, dialect::STREAM_HEADERS};

use crate::{
    body::SseBody,
    handoff::stream_marker::{SessionSlot, StreamMarker},
};

/// Creates the response that carries a stream: 200 with [`STREAM_HEADERS`].
///
/// The extensions of the response identify the stream to [`serve`](crate::serve()). A middleware
/// that creates a new response must copy the extensions. Otherwise a blocked connection is not
/// broken off when its stream ends, and the stream stays with hyper. A middleware that drops the
/// body ends the stream.
///
/// ```
/// use sse_core::{Handshake, Manager};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new())?;
///
/// let response = sse_hyper::response(session);
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn response(session: Session) -> Response<SseBody> {
    let slot = SessionSlot::new(session);
    let mut response = Response::new(SseBody::stream(slot.clone()));
    *response.headers_mut() = stream_headers();
    response.extensions_mut().insert(StreamMarker(slot));
    response
}

pub(crate) fn stream_headers() -> HeaderMap {
    STREAM_HEADERS
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .into_iter()
        .collect()
}

/// Creates the response to a refused stream from [`ConnectError::response`].
///
/// ```
/// use sse_core::{ConnectError, ConnectErrorKind};
///
/// let error = ConnectError::new(ConnectErrorKind::Full);
/// assert_eq!(sse_hyper::rejection(&error).status(), 503);
/// ```
#[must_use]
pub fn rejection(error: &ConnectError) -> Response<SseBody> {
    let answer = error.response();
    let body = if answer.is_headers_only() {
        SseBody::headers_only()
    } else {
        SseBody::whole(answer.body)
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value.into_owned())) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    *response.headers_mut() = headers;
    response
}
