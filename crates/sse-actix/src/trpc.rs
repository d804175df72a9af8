//! The management API as a scope.

use std::borrow::Cow;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, Scope,
    http::{StatusCode, header::CONTENT_TYPE},
    web::{self, BytesMut, Data, Payload},
};
use futures_util::StreamExt;
use sse_core::Caller;
use sse_trpc::{Body, Management};

/// The management API as a scope: `.service(sse_actix::trpc("/api/trpc", management))`.
///
/// Who calls is the [`Caller`] among the request's extensions, put there by the app's authentication; without one, nobody.
pub fn trpc(path: &str, management: Management) -> Scope {
    web::scope(path).app_data(Data::new(management)).default_service(web::to(call))
}

async fn call(management: Data<Management>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let Some(body) = read(payload, management.body_limit()).await else {
        return HttpResponse::BadRequest().finish();
    };
    let content_type =
        request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    let answer = management
        .handle(sse_trpc::Request {
            method: request.method().as_str(),
            path: below(&request),
            query: request.uri().query(),
            content_type: content_type.as_ref().map(Cow::as_ref),
            body,
            caller,
        })
        .await;
    into_response(answer)
}

/// What follows the mount point, as it was sent: as many segments as Actix left, which decodes some of what it matches.
fn below(request: &HttpRequest) -> &str {
    let path = request.uri().path();
    let segments = request.match_info().unprocessed().matches('/').count();
    let start = path.rmatch_indices('/').nth(segments.saturating_sub(1)).filter(|_| segments > 0);
    start.map_or("", |(slash, _)| &path[slash + 1..])
}

/// The whole body, unless it breaks off.
async fn read(mut payload: Payload, limit: usize) -> Option<Body> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.ok()?;
        if body.len() + chunk.len() > limit {
            return Some(Body::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze().into())
}

fn into_response(answer: sse_trpc::Response) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    if answer.body.is_empty() { response.finish() } else { response.body(answer.body) }
}
