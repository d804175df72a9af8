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

/// Identifies the caller of each request, as a middleware:
/// `.wrap(from_fn(sse_actix::authenticate))`, with the [`Authentication`] as [`web::Data`] in the
/// app's data. Without it, Actix responds to every request with 500.
///
/// The middleware itself refuses no request. [`SseHandshake`](crate::SseHandshake) and the
/// management API read the caller, or the reason for a rejection, from the request's extensions,
/// and respond in their own formats. The app's own routes take `web::ReqData<Caller>`, which fails
/// for refused requests.
///
/// # Errors
/// The errors of the wrapped service.
pub async fn authenticate(
    authentication: web::Data<Authentication>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let admitted = authentication.admit(&request_view(request.request())).await;
    match admitted {
        Ok(caller) => drop(request.extensions_mut().insert(caller)),
        Err(cause) => drop(request.extensions_mut().insert(cause)),
    }
    next.call(request).await
}

/// Returns the part of a request that authentication reads. An [`OwnOrigin`] in the request's
/// extensions is the origin under which the client reached the server. Without an [`OwnOrigin`],
/// the authority of the request is used.
#[must_use]
pub fn request_view(request: &HttpRequest) -> RequestView<'_> {
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
