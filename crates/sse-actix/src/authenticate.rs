//! Authentication in front of routes.

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::uri::Authority,
    middleware::Next,
    web,
};
use sse_access::Authentication;
use sse_auth::{OwnOrigin, RequestView};

/// Finds out who makes each request, as a middleware: `.wrap(from_fn(sse_actix::authenticate))`,
/// with the [`Authentication`] in the app's data.
///
/// It refuses nothing itself. [`SseHandshake`](crate::SseHandshake) and the management API find the
/// caller, or why it is refused, among the request's extensions, and answer in their own terms.
/// Routes of the app's own take `web::ReqData<Caller>`, which fails for whoever is refused.
///
/// # Errors
/// Those of what is behind it.
pub async fn authenticate(
    gate: web::Data<Authentication>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let admitted = gate.admit(&view(request.request())).await;
    match admitted {
        Ok(caller) => drop(request.extensions_mut().insert(caller)),
        Err(cause) => drop(request.extensions_mut().insert(cause)),
    }
    next.call(request).await
}

/// A request, as far as authentication looks at it. An [`OwnOrigin`] among its extensions is the
/// one under which the client reached the server; without it the request's authority is taken for
/// that.
#[must_use]
pub fn view(request: &HttpRequest) -> RequestView<'_> {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    RequestView::new(request.method().as_str())
        .authority(request.uri().authority().map(Authority::as_str))
        .served_as(request.extensions().get::<OwnOrigin>().cloned())
        .query(request.uri().query())
        .headers(headers)
}
