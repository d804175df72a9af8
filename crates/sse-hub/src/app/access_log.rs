//! A log of requests, for troubleshooting.

use std::borrow::Cow;

use axum::{extract::Request, http::Method, middleware::Next, response::Response};
use sse_auth::redacted_query;
use tracing::debug;

/// Paths that are logged unchanged.
const PATHS: [&str; 7] = [
    "/",
    "/api/sse",
    "/favicon.ico",
    "/health/live",
    "/health/ready",
    "/metrics",
    crate::app::demo_page::PATH,
];

/// Procedures of the management API that are logged by name.
const PROCEDURES: [&str; 17] = [
    "broadcastNotification",
    "broadcastSystemEvent",
    "createTicket",
    "disconnect",
    "events",
    "getConnections",
    "getStats",
    "join",
    "leave",
    "publish",
    "renew",
    "sendError",
    "sendInfo",
    "sendNotification",
    "sendSuccess",
    "sendSystemEvent",
    "sendWarning",
];

/// Logs a request and its response status at `debug`. The log shows only parts that are known to
/// hold no secret, since any other part of a request can hold one.
pub(crate) async fn log(request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let query = redacted_query(uri.query().unwrap_or_default());
    let (method, path) = (shown_method(&method), shown_path(uri.path()));
    debug!(method, %path, %query, status = response.status().as_u16(), "handled a request");
    response
}

fn shown_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
    known
        .into_iter()
        .find(|known| method == known)
        .unwrap_or("…")
}

/// Returns a path in a form that is safe to log.
pub(crate) fn shown_path(path: &str) -> Cow<'_, str> {
    if PATHS.contains(&path) {
        return Cow::Borrowed(path);
    }
    let Some(called) = path.strip_prefix("/api/trpc/") else {
        let known = ["/api/", "/sse/", "/sse-demo/"]
            .into_iter()
            .find(|start| path.starts_with(start));
        return Cow::Owned(format!("{}…", known.unwrap_or("/")));
    };
    let shown = |name: &str| match name.strip_prefix("sse.") {
        Some(procedure) => PROCEDURES.into_iter().find(|known| *known == procedure),
        None => None,
    };
    // A batch can have any number of names that fits into the path.
    let names = called
        .split(',')
        .take(10)
        .map(|name| shown(name).map_or("…".into(), |name| format!("sse.{name}")));
    Cow::Owned(format!("/api/trpc/{}", names.collect::<Vec<_>>().join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parts_of_paths_are_shown() {
        for (path, shown) in [
            ("/", "/"),
            ("/api/sse", "/api/sse"),
            ("/api/sse;ticket=abc", "/api/…"),
            ("/api/sse/abc", "/api/…"),
            ("/abc", "/…"),
            ("/sse/client.js", "/sse/…"),
            ("/api/trpc/sse.sendInfo", "/api/trpc/sse.sendInfo"),
            (
                "/api/trpc/sse.sendInfo,sse.abc,abc",
                "/api/trpc/sse.sendInfo,…,…",
            ),
            ("/api/trpc/", "/api/trpc/…"),
            ("*", "/…"),
        ] {
            assert_eq!(shown_path(path), shown);
        }
        assert_eq!(shown_method(&Method::POST), "POST");
        assert_eq!(shown_method(&Method::from_bytes(b"SECRET").unwrap()), "…");
    }
}
