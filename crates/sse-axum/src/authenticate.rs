//! Authentication in front of routes.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use sse_access::Authentication;

/// Finds out who makes each request, as a middleware:
/// `.layer(from_fn_with_state(gate, sse_axum::authenticate))`.
///
/// It refuses nothing itself. [`SseHandshake`](crate::SseHandshake) and the management API find the
/// caller, or why it is refused, among the request's extensions, and answer in their own terms.
/// Routes of the app's own take `Extension<Caller>`, which rejects whoever is refused.
pub async fn authenticate(
    State(gate): State<Authentication>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    sse_hyper::authenticate(&gate, &mut parts).await;
    next.run(Request::from_parts(parts, body)).await
}
