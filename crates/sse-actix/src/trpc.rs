//! The management API as a scope.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, Scope,
    body::{BodySize, MessageBody},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{self, Bytes, Data, Payload},
};
use futures_util::StreamExt;
use sse_core::{Caller, ConnectErrorKind};
use sse_trpc::{Content, Headers, Management};

use crate::{body::SessionBody, response};

/// The management API as a scope: `.service(sse_actix::trpc("/api/trpc", management))`.
///
/// Who calls is the [`Caller`] among the request's extensions, put there by the app's
/// authentication; without one, nobody. A [`ConnectErrorKind`] there is why it is refused.
pub fn trpc(path: &str, management: Management) -> Scope {
    web::scope(path)
        .app_data(Data::new(management))
        .default_service(web::to(call))
}

async fn call(
    management: Data<Management>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    let call = sse_trpc::Request {
        method: request.method().as_str(),
        path: below(&request),
        query: request.uri().query(),
        headers: Headers::read(|name| request.headers().get(name).map(HeaderValue::as_bytes)),
        caller: caller(&request),
        address: request.peer_addr().map(|address| address.ip()),
    };
    let answer = management.handle(call, &mut payload).await;
    into_response(&request, answer, payload)
}

/// What authentication in front found out.
fn caller(request: &HttpRequest) -> Result<Caller, ConnectErrorKind> {
    let known = request.extensions();
    match known.get::<ConnectErrorKind>() {
        Some(cause) => Err(cause.clone()),
        None => Ok(known.get::<Caller>().cloned().unwrap_or_default()),
    }
}

/// What follows the mount point, as it was sent: as many segments as Actix left, which decodes some
/// of what it matches.
fn below(request: &HttpRequest) -> &str {
    let path = request.uri().path();
    let segments = request.match_info().unprocessed().matches('/').count();
    let start = path
        .rmatch_indices('/')
        .nth(segments.saturating_sub(1))
        .filter(|_| segments > 0);
    start.map_or("", |(slash, _)| &path[slash + 1..])
}

/// An answer that holds what is left of the request's body until it is sent.
///
/// Actix then closes the connection. If the body were dropped before, Actix would read a chunked
/// one to its end, however long that takes.
struct Closing {
    bytes: Bytes,
    _rest: Payload,
}

impl MessageBody for Closing {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.bytes.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut self.bytes).poll_next(cx)
    }
}

fn into_response(request: &HttpRequest, answer: sse_trpc::Response, rest: Payload) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    let mut response = match answer.body {
        Content::Whole(bytes) if bytes.is_empty() => response.finish(),
        Content::Whole(bytes) => response.body(Closing { bytes, _rest: rest }),
        Content::Lines(lines) => response.streaming(lines.map(Ok::<_, Infallible>)),
        Content::Events(session) => response::stream(request, SessionBody::new(session)),
    };
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}
