//! What a request asks for.

use std::net::SocketAddr;

use http::request::Parts;
use sse_core::{Caller, ConnectErrorKind, Handshake};

/// Where a connection comes from; [`serve`](crate::serve()) puts it into every request's
/// extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Reads the handshake from a request. What is wrong with it is told by
/// [`Manager::connect`](sse_core::Manager::connect).
///
/// A [`Caller`] among the request's extensions, where authentication in front puts it, is whose
/// stream it is to be; a [`ConnectErrorKind`] is why authentication refuses it.
#[must_use]
pub fn handshake(request: &Parts) -> Handshake {
    let last_event_id = request
        .headers
        .get("last-event-id")
        .map(http::HeaderValue::as_bytes);
    let accept = request
        .headers
        .get_all("accept")
        .iter()
        .map(http::HeaderValue::as_bytes);
    let mut handshake =
        Handshake::from_request(request.method.as_str(), request.uri.query(), last_event_id)
            .accept(accept);
    if let Some(PeerAddr(address)) = request.extensions.get() {
        handshake = handshake.address(address.ip());
    }
    if let Some(caller) = request.extensions.get::<Caller>() {
        handshake = handshake.caller(caller.clone());
    }
    match request.extensions.get::<ConnectErrorKind>() {
        Some(cause) => handshake.refuse(cause.clone()),
        None => handshake,
    }
}
