//! CORS: the pages of other sites that may read the hub's responses.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderValue, Method, header},
};
use sse_auth::Origins;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Time for which a browser may cache the result of a preflight; Chromium caps it at two hours.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Allows pages of these origins to use routes, with the cookies of their visitors. Without origins
/// nothing changes.
///
/// The pages may send any header. Names of headers protect nothing here, and the libraries of an
/// app add their own, such as `traceparent`, `baggage` and `sentry-trace` of tracing: a list would
/// refuse the requests of apps that use another library.
pub(crate) fn allow<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    origins: &Origins,
) -> Router<S> {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    if origins.is_empty() {
        return routes;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ALLOW, header::RETRY_AFTER])
        .max_age(MAX_AGE);
    routes.layer(layer)
}
