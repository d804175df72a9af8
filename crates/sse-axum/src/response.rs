//! Answers to requests for a stream.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use sse_core::{Refused, Session};

/// Answers with a stream.
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct SseResponse(Session);

impl From<Session> for SseResponse {
    fn from(session: Session) -> Self {
        Self(session)
    }
}

impl IntoResponse for SseResponse {
    fn into_response(self) -> Response {
        sse_hyper::response(self.0).map(Body::new)
    }
}

/// Answers that a stream was refused; `?` makes it of a [`Refused`].
#[derive(Debug)]
pub struct Refusal(pub Refused);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        sse_hyper::refusal(&self.0).map(Body::new)
    }
}
