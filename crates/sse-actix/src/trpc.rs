//! The management API as a scope.

use std::convert::Infallible;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, Scope,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{self, Data, Payload},
};
use futures_util::StreamExt;
use sse_core::{Caller, Cause};
use sse_trpc::{Content, Headers, Management};

use crate::{body::SessionBody, response};

/// The management API as a scope: `.service(sse_actix::trpc("/api/trpc", management))`.
///
/// Who calls is the [`Caller`] among the request's extensions, put there by the app's authentication; without one, nobody. A [`Cause`] there is why it
/// is refused.
pub fn trpc(path: &str, management: Management) -> Scope {
    web::scope(path).app_data(Data::new(management)).default_service(web::to(call))
}

async fn call(management: Data<Management>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let call = sse_trpc::Request {
        method: request.method().as_str(),
        path: below(&request),
        query: request.uri().query(),
        headers: Headers::read(|name| request.headers().get(name).map(HeaderValue::as_bytes)),
        caller: caller(&request),
        address: request.peer_addr().map(|address| address.ip()),
    };
    into_response(&request, management.handle(call, payload).await)
}

/// What authentication in front found out.
fn caller(request: &HttpRequest) -> Result<Caller, Cause> {
    let known = request.extensions();
    match known.get::<Cause>() {
        Some(cause) => Err(cause.clone()),
        None => Ok(known.get::<Caller>().cloned().unwrap_or_default()),
    }
}

/// What follows the mount point, as it was sent: as many segments as Actix left, which decodes some of what it matches.
fn below(request: &HttpRequest) -> &str {
    let path = request.uri().path();
    let segments = request.match_info().unprocessed().matches('/').count();
    let start = path.rmatch_indices('/').nth(segments.saturating_sub(1)).filter(|_| segments > 0);
    start.map_or("", |(slash, _)| &path[slash + 1..])
}

fn into_response(request: &HttpRequest, answer: sse_trpc::Response) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    let mut response = match answer.body {
        Content::Whole(bytes) if bytes.is_empty() => response.finish(),
        Content::Whole(bytes) => response.body(bytes),
        Content::Lines(lines) => response.streaming(lines.map(Ok::<_, Infallible>)),
        Content::Events(session) => response::stream(request, SessionBody::new(session)),
    };
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
