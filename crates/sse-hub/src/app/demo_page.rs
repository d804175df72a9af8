//! The demo page: files of the hub's own, without anything from elsewhere.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::{Redirect, Response},
};
use sse_browser::{File, StaticFiles};

/// Its path.
pub(crate) const PATH: &str = "/sse-demo";

/// Only the hub's own files run, and they talk to this hub alone.
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
    file!("people.js"),
    file!("sender.js"),
    file!("statistics.js"),
    file!("toasts.js"),
]);

/// The page, and what it consists of.
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

/// Leads to the page.
pub(crate) async fn to_page() -> Redirect {
    Redirect::temporary(PATH)
}
