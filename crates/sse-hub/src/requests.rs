//! A log of requests, for those who look for something.

use axum::{extract::Request, middleware::Next, response::Response};
use sse_auth::redacted_query;
use tracing::debug;

/// Logs a request and the status of its answer, at `debug`, without secrets.
pub(crate) async fn log(request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let query = redacted_query(uri.query().unwrap_or_default());
    debug!(%method, path = uri.path(), %query, status = response.status().as_u16(), "request");
    response
}
