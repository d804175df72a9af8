//! CORS: the pages of other sites that may read the hub's responses.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use sse_auth::Origins;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Time for which a browser may cache the result of a preflight; Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Request headers that the clients of this project and of tRPC send. A browser asks for
/// `last-event-id` in a preflight if an id is long or has characters outside the safe set (Fetch,
/// section 2.2.2).
const HEADERS: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("trpc-accept"),
    HeaderName::from_static("trpc-batch-mode"),
    HeaderName::from_static("x-trpc-source"),
];

/// Allows pages of these origins, with the cookies of their visitors.
pub(crate) fn layer(origins: &Origins) -> CorsLayer {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(HEADERS)
        .expose_headers([header::RETRY_AFTER])
        .max_age(MAX_AGE)
}
