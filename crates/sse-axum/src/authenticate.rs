//! Authentication in front of routes.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use sse_access::Authentication;

/// Identifies the caller of each request, as a middleware:
/// `.layer(from_fn_with_state(gate, sse_axum::authenticate))`.
///
/// The middleware itself refuses no request. [`SseHandshake`](crate::SseHandshake) and the
/// management API read the caller, or the reason for a rejection, from the request's extensions,
/// and respond in their own formats. The app's own routes take `Extension<Caller>`, which rejects
/// refused requests.
pub async fn authenticate(
    State(authentication): State<Authentication>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    sse_hyper::authenticate(&authentication, &mut parts).await;
    next.run(Request::from_parts(parts, body)).await
}
