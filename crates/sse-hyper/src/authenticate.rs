//! The caller of a request.

use http::{request::Parts, uri::Authority};
use sse_access::Authentication;
use sse_auth::{OwnOrigin, RequestView};

/// Identifies the caller of a request and stores the result in the request's extensions: a
/// [`Caller`](sse_core::Caller), or the [`ConnectErrorKind`](sse_core::ConnectErrorKind) with which
/// the request is refused. [`handshake`](crate::handshake()) reads the result from there.
///
/// *Cancel safety.* See [`Authentication::admit`].
pub async fn authenticate(authentication: &Authentication, request: &mut Parts) {
    match authentication.admit(&request_view(request)).await {
        Ok(caller) => drop(request.extensions.insert(caller)),
        Err(cause) => drop(request.extensions.insert(cause)),
    }
}

/// Returns the part of a request that authentication reads. An [`OwnOrigin`] in the request's
/// extensions is the origin under which the client reached the server. Without an [`OwnOrigin`],
/// the authority of the request is used.
#[must_use]
pub fn request_view(request: &Parts) -> RequestView<'_> {
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    RequestView::new(request.method.as_str())
        .authority(request.uri.authority().map(Authority::as_str))
        .served_as(request.extensions.get::<OwnOrigin>().cloned())
        .query(request.uri.query())
        .headers(headers)
}
