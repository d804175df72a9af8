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

/// Creates a scope that serves the management API:
/// `.service(sse_actix::trpc("/api/trpc", management))`.
///
/// The caller is the [`Caller`] in the request's extensions, where the app's authentication puts
/// it. Without a [`Caller`], the request is anonymous. A [`ConnectErrorKind`] in the extensions is
/// the reason for a rejection.
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

/// Returns the result of authentication.
fn caller(request: &HttpRequest) -> Result<Caller, ConnectErrorKind> {
    let known = request.extensions();
    match known.get::<ConnectErrorKind>() {
        Some(cause) => Err(cause.clone()),
        None => Ok(known.get::<Caller>().cloned().unwrap_or_default()),
    }
}

/// Returns the part of the path after the mount point, as it was sent. Actix decodes some of the
/// segments that it matches, so this function counts the segments that Actix left.
fn below(request: &HttpRequest) -> &str {
    let path = request.uri().path();
    let segments = request.match_info().unprocessed().matches('/').count();
    let start = path
        .rmatch_indices('/')
        .nth(segments.saturating_sub(1))
        .filter(|_| segments > 0);
    start.map_or("", |(slash, _)| &path[slash + 1..])
}

/// A response that holds the unread rest of the request's body until the response is sent.
///
/// Actix then closes the connection. If the body were dropped earlier, Actix would read a chunked
/// body to its end, however long that takes.
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
