//! The demo page. All its files are part of the hub.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::{Redirect, Response},
};
use sse_browser::{File, StaticFiles};

/// Path of the demo page.
pub(crate) const PATH: &str = "/sse-demo";

/// Content security policy: only the hub's own files run, and they connect to this hub alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 2] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
];

macro_rules! file {
    ($name:literal) => {
        File::new($name, include_str!(concat!("../demo/", $name)))
    };
}

const FILES: StaticFiles = StaticFiles::new(&[
    file!("index.html"),
    file!("demo.css"),
    file!("icon.svg"),
    file!("api.js"),
    file!("chart.js"),
    file!("connection.js"),
    file!("demo.js"),
    file!("dom.js"),
    file!("history.js"),
    file!("overview.js"),
    file!("people.js"),
    file!("sender.js"),
    file!("statistics.js"),
    file!("toasts.js"),
]);

/// Routes of the page and its files.
pub(crate) fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .nest(PATH, sse_axum::files(FILES))
        .layer(map_response(secured))
}

async fn secured(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Redirects to the page.
pub(crate) async fn to_page() -> Redirect {
    Redirect::temporary(PATH)
}
