//! Responses to requests for a stream.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Responder, ResponseError,
    body::{BoxBody, MessageBody},
    http::{
        ConnectionType, StatusCode, Version,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING},
    },
};
use sse_core::{ConnectError, Session, dialect::STREAM_HEADERS};

use crate::{
    body::{HeadersOnly, SessionBody},
    on_connect,
};

/// A response with a stream.
///
/// ```
/// use actix_web::{App, web};
/// use sse_actix::{Rejection, SseHandshake, SseResponse};
/// use sse_core::Manager;
///
/// // A handler with errors of several types returns `actix_web::Error`.
/// async fn events(
///     handshake: SseHandshake,
///     sse: web::Data<Manager>,
/// ) -> Result<SseResponse, actix_web::Error> {
///     let session = sse.connect(handshake).map_err(Rejection)?;
///     Ok(SseResponse::from(session))
/// }
///
/// let app = App::new().route("/api/sse", web::to(events));
/// ```
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct SseResponse(Session);

impl From<Session> for SseResponse {
    fn from(session: Session) -> Self {
        Self(session)
    }
}

impl Responder for SseResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        stream(request, SessionBody::new(self.0))
    }
}

/// Creates the response that carries a stream.
pub(crate) fn stream(request: &HttpRequest, body: impl MessageBody + 'static) -> HttpResponse {
    on_connect::warn_unless_prepared(request);
    let mut response = HttpResponse::Ok();
    for header in STREAM_HEADERS {
        response.insert_header(header);
    }
    // Actix's `Compress` compresses every response that names no coding, and cannot be switched off
    // otherwise. `identity` should not be named (RFC 9110, section 8.4), so it is named only if
    // `Compress` could act.
    if request.headers().contains_key(ACCEPT_ENCODING) {
        response.insert_header((CONTENT_ENCODING, "identity"));
    }
    let mut response = response.body(body);
    // Actix would send chunks, which HTTP/1.0 does not support (RFC 9112, section 7.1).
    if request.version() < Version::HTTP_11 {
        let head = response.head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    response
}

/// A response that refuses a stream. `?` converts a [`ConnectError`] to a rejection.
///
/// ```
/// use actix_web::ResponseError;
/// use sse_actix::Rejection;
/// use sse_core::{ConnectError, ConnectErrorKind};
///
/// let error = ConnectError::new(ConnectErrorKind::Full);
/// assert_eq!(Rejection(error).error_response().status(), 503);
/// ```
#[derive(Debug)]
pub struct Rejection(pub ConnectError);

impl From<ConnectError> for Rejection {
    fn from(refused: ConnectError) -> Self {
        Self(refused)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.response().status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
    }

    fn error_response(&self) -> HttpResponse {
        let answer = self.0.response();
        let mut response = HttpResponseBuilder::new(self.status_code());
        for (name, value) in &answer.headers {
            response.insert_header((*name, &**value));
        }
        if answer.is_headers_only() {
            return response.body(HeadersOnly);
        }
        if answer.body.is_empty() {
            response.finish()
        } else {
            response.body(answer.body)
        }
    }
}
