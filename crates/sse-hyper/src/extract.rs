//! The parts of a request that a stream needs.

use std::net::SocketAddr;

use http::request::Parts;
use sse_core::{Caller, ConnectErrorKind, Handshake};

/// The address of the peer of a connection. [`serve`](crate::serve()) puts the address into the
/// extensions of every request.
///
/// ```
/// use std::net::SocketAddr;
///
/// use http::Request;
/// use sse_hyper::PeerAddr;
///
/// // A middleware after a proxy replaces the address of the proxy by the address of the client.
/// let client: SocketAddr = "192.0.2.1:49152".parse()?;
/// let mut request = Request::get("/sse").body(())?;
/// request.extensions_mut().insert(PeerAddr(client));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Reads the handshake from a request. [`Manager::connect`](sse_core::Manager::connect) reports an
/// invalid handshake.
///
/// Authentication in front of the handler puts a [`Caller`] or a [`ConnectErrorKind`] into the
/// request's extensions. The stream then belongs to that [`Caller`], or is refused with that
/// [`ConnectErrorKind`].
///
/// ```
/// use http::Request;
///
/// let request = Request::get("/sse?topics=news").header("last-event-id", "7f3a-12").body(())?;
/// let (parts, ()) = request.into_parts();
/// let handshake = sse_hyper::handshake(&parts);
/// assert_eq!(handshake.last_event_id(), Some("7f3a-12"));
/// assert_eq!(handshake.requested_topics().len(), 1);
/// # Ok::<(), http::Error>(())
/// ```
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
