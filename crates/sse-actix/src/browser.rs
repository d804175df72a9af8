//! The browser client as a scope.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Scope,
    http::{
        StatusCode,
        header::{HeaderValue, IF_NONE_MATCH},
    },
    web,
};
use sse_browser::{CLIENT, StaticFiles};

/// Creates a scope that serves the browser client: `.service(sse_actix::browser("/sse"))`.
///
/// Pages then import `/sse/client.js`. [`CLIENT`] lists the other files.
pub fn browser(path: &str) -> Scope {
    files(path, CLIENT)
}

/// Creates a scope that serves files embedded in the program. The folder itself responds with
/// `index.html`.
pub fn files(path: &str, files: StaticFiles) -> Scope {
    let serve = move |request: HttpRequest| async move { answer(files, &request) };
    web::scope(path)
        .route("", web::to(serve))
        .route("/{file}", web::to(serve))
}

fn answer(files: StaticFiles, request: &HttpRequest) -> HttpResponse {
    let lines: Vec<_> = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .map(HeaderValue::as_bytes)
        .collect();
    let tags = (!lines.is_empty()).then(|| lines.join(&b','));
    let answer = files.answer(&sse_browser::FileRequest {
        method: request.method().as_str(),
        path: request.match_info().query("file"),
        if_none_match: tags.as_deref(),
    });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in &answer.headers {
        response.insert_header((*name, &**value));
    }
    if answer.body.is_empty() {
        response.finish()
    } else {
        response.body(answer.body)
    }
}
