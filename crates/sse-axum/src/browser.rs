//! The browser client as a router.

use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sse_browser::{CLIENT, StaticFiles, StaticResponse};

/// Creates a router that serves the browser client. Nest the router under any path:
/// `.nest("/sse", sse_axum::browser())`.
///
/// Pages then import `/sse/client.js`. [`CLIENT`] lists the other files.
pub fn browser<S: Clone + Send + Sync + 'static>() -> Router<S> {
    files(CLIENT)
}

/// Creates a router that serves files embedded in the program. The folder itself responds with
/// `index.html`.
pub fn files<S: Clone + Send + Sync + 'static>(files: StaticFiles) -> Router<S> {
    let serve = any(async move |request: Request| answer(files, &request));
    Router::new()
        .route("/", serve.clone())
        .route("/{file}", serve)
}

fn answer(files: StaticFiles, request: &Request) -> Response {
    let tags = if_none_match(request.headers());
    into_response(files.answer(&sse_browser::FileRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        if_none_match: tags.as_deref(),
    }))
}

fn if_none_match(headers: &HeaderMap) -> Option<Vec<u8>> {
    let lines: Vec<_> = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    (!lines.is_empty()).then(|| lines.join(&b','))
}

fn into_response(answer: StaticResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(&*value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}
