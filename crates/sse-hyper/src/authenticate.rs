//! Who makes a request.

use http::{request::Parts, uri::Authority};
use sse_access::Authentication;
use sse_auth::{OwnOrigin, RequestView};

/// Finds out who makes a request, and leaves it among the request's extensions: a
/// [`Caller`](sse_core::Caller), or the [`Cause`](sse_core::ConnectErrorKind) why it is refused.
/// [`handshake`](crate::extract()) takes it from there.
///
/// *Cancel safety.* See [`Authentication::admit`].
pub async fn authenticate(gate: &Authentication, request: &mut Parts) {
    match gate.admit(&request_view(request)).await {
        Ok(caller) => drop(request.extensions.insert(caller)),
        Err(cause) => drop(request.extensions.insert(cause)),
    }
}

/// A request, as far as authentication looks at it. An [`OwnOrigin`] among its extensions is the
/// one under which the client reached the server; without it the request's authority is taken for
/// that.
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
