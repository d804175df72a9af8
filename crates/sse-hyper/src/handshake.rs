//! What a request asks for.

use std::net::SocketAddr;

use http::request::Parts;
use sse_core::Handshake;

/// Where a connection comes from; [`serve`](crate::serve()) puts it into every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Reads the handshake from a request. What is wrong with it is told by [`Manager::connect`](sse_core::Manager::connect).
#[must_use]
pub fn handshake(request: &Parts) -> Handshake {
    let last_event_id = request.headers.get("last-event-id").map(http::HeaderValue::as_bytes);
    let handshake = Handshake::from_request(request.method.as_str(), request.uri.query(), last_event_id);
    match request.extensions.get::<PeerAddr>() {
        Some(PeerAddr(address)) => handshake.address(address.ip()),
        None => handshake,
    }
}
