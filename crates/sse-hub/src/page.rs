//! The demo page: one file, without anything from elsewhere.

use axum::{
    http::{HeaderName, header},
    response::{Html, IntoResponse, Redirect},
};
use sse_trpc::Transformer;

/// Its path.
pub(crate) const PATH: &str = "/sse-demo";

/// Only what is in the page itself runs, and it talks to this hub alone.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// The page; it calls the management API, so it must know how data stand there.
pub(crate) fn page(transformer: Transformer) -> impl IntoResponse {
    let name = match transformer {
        Transformer::Json => "json",
        Transformer::SuperJson => "superjson",
    };
    (HEADERS, Html(include_str!("demo.html").replace("{{transformer}}", name)))
}

/// The types of the management API, for front ends in TypeScript.
pub(crate) async fn types() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, sse_trpc::APP_ROUTER)
}

/// Leads to the page.
pub(crate) async fn to_page() -> Redirect {
    Redirect::temporary(PATH)
}
