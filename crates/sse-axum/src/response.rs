//! Responses to requests for a stream.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use sse_core::{ConnectError, Session};
use sse_hyper::KeepBody;

/// A response with a stream.
///
/// ```
/// use axum::response::IntoResponse;
/// use sse_axum::SseResponse;
/// use sse_core::{Handshake, Manager};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new())?;
///
/// let response = SseResponse::from(session).into_response();
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct SseResponse {
    session: Session,
    keeps_body: bool,
}

impl SseResponse {
    /// Keeps the stream with hyper, as a body, even if a reactor could serve the stream. For routes
    /// with a layer that reads the body's frames. See [`KeepBody`].
    pub fn keep_body(self) -> Self {
        Self {
            keeps_body: true,
            ..self
        }
    }
}

impl From<Session> for SseResponse {
    fn from(session: Session) -> Self {
        Self {
            session,
            keeps_body: false,
        }
    }
}

impl IntoResponse for SseResponse {
    fn into_response(self) -> Response {
        let mut response = sse_hyper::response(self.session).map(Body::new);
        if self.keeps_body {
            response.extensions_mut().insert(KeepBody);
        }
        response
    }
}

/// A response that refuses a stream. `?` converts a [`ConnectError`] to a rejection.
///
/// ```
/// use axum::response::IntoResponse;
/// use sse_axum::Rejection;
/// use sse_core::{ConnectError, ConnectErrorKind};
///
/// let error = ConnectError::new(ConnectErrorKind::Full);
/// assert_eq!(Rejection(error).into_response().status(), 503);
/// ```
#[derive(Debug)]
pub struct Rejection(pub ConnectError);

impl From<ConnectError> for Rejection {
    fn from(refused: ConnectError) -> Self {
        Self(refused)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        sse_hyper::rejection(&self.0).map(Body::new)
    }
}
