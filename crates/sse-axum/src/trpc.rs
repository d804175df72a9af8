//! The management API as a router.

use std::borrow::Cow;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use sse_core::Caller;
use sse_trpc::Management;

/// The management API as a router, to be nested where the app wants it: `.nest("/api/trpc", sse_axum::trpc(management))`.
///
/// Who calls is the [`Caller`] among the request's extensions, put there by the app's authentication; without one, nobody.
///
/// It has a state of its own, so it goes into a router of any.
pub fn trpc<S: Clone + Send + Sync + 'static>(management: Management) -> Router<S> {
    Router::new().fallback(call).with_state(management)
}

async fn call(State(management): State<Management>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, management.body_limit()).await {
        Ok(bytes) => bytes.into(),
        Err(error) if is_too_large(&error) => sse_trpc::Body::TooLarge,
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let content_type = parts.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let answer = management
        .handle(sse_trpc::Request {
            method: parts.method.as_str(),
            path: parts.uri.path().trim_start_matches('/'),
            query: parts.uri.query(),
            content_type: content_type.as_ref().map(Cow::as_ref),
            body,
            caller: parts.extensions.get::<Caller>().cloned().unwrap_or_default(),
        })
        .await;
    into_response(answer)
}

/// `to_bytes` says so by the type of what caused its error; anything else is a body that broke off.
fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

fn into_response(answer: sse_trpc::Response) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
