//! The parts of a request that a stream needs.

use std::{convert::Infallible, net::IpAddr, net::SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use sse_core::{Caller, Handshake, Topic, UserId, config::Overflow, id::FieldError};
use sse_hyper::PeerAddr;

/// An extractor of the [`Handshake`] of a request.
///
/// The extractor never rejects. [`Manager::connect`](sse_core::Manager::connect) reports and counts
/// an invalid request. The client's address is known under [`serve`](crate::serve()), and under
/// `axum::serve` with `ConnectInfo`. The extractor takes the same results of authentication as
/// [`sse_hyper::handshake`].
///
/// ```
/// use axum::{Router, extract::State, routing::any};
/// use sse_axum::{Rejection, SseHandshake, SseResponse};
/// use sse_core::Manager;
///
/// async fn events(
///     handshake: SseHandshake,
///     State(sse): State<Manager>,
/// ) -> Result<SseResponse, Rejection> {
///     Ok(sse.connect(handshake.user("42").topic("news"))?.into())
/// }
///
/// let sse = Manager::builder().build()?;
/// let app: Router = Router::new().route("/api/sse", any(events)).with_state(sse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "connect it"]
pub struct SseHandshake(pub Handshake);

impl SseHandshake {
    /// See [`Handshake::user`].
    pub fn user<N: TryInto<UserId, Error: Into<FieldError>>>(self, user: N) -> Self {
        Self(self.0.user(user))
    }

    /// See [`Handshake::caller`].
    pub fn caller(self, caller: Caller) -> Self {
        Self(self.0.caller(caller))
    }

    /// See [`Handshake::topic`].
    pub fn topic<N: TryInto<Topic, Error: Into<FieldError>>>(self, topic: N) -> Self {
        Self(self.0.topic(topic))
    }

    /// See [`Handshake::address`]. For apps with a proxy in front.
    pub fn address(self, address: IpAddr) -> Self {
        Self(self.0.address(address))
    }

    /// See [`Handshake::overflow`].
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self(self.0.overflow(overflow))
    }
}

impl From<SseHandshake> for Handshake {
    fn from(handshake: SseHandshake) -> Self {
        handshake.0
    }
}

impl<S: Sync> FromRequestParts<S> for SseHandshake {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let handshake = sse_hyper::handshake(parts);
        // A middleware can set `PeerAddr` to the address of the client. Other servers provide only
        // `ConnectInfo`.
        let is_known = parts.extensions.get::<PeerAddr>().is_some();
        Ok(Self(
            match parts.extensions.get::<ConnectInfo<SocketAddr>>() {
                Some(ConnectInfo(address)) if !is_known => handshake.address(address.ip()),
                _ => handshake,
            },
        ))
    }
}
