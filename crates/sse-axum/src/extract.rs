//! What a request asks for.

use std::{convert::Infallible, net::IpAddr, net::SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use sse_core::{Caller, FieldError, Handshake, Overflow, Topic, UserId};
use sse_hyper::PeerAddr;

/// Extracts the [`Handshake`] of a request.
///
/// It never rejects: what is wrong with the request is told, and counted, by
/// [`Manager::connect`](sse_core::Manager::connect). The client's address is known under
/// [`serve`](crate::serve()), and under `axum::serve` with `ConnectInfo`. Of authentication in
/// front it takes what [`sse_hyper::handshake`] takes.
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

    /// See [`Handshake::address`]; for apps behind a proxy.
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
        // `PeerAddr` is where a middleware says that the client is; of other servers there is
        // `ConnectInfo` alone.
        let is_known = parts.extensions.get::<PeerAddr>().is_some();
        Ok(Self(
            match parts.extensions.get::<ConnectInfo<SocketAddr>>() {
                Some(ConnectInfo(address)) if !is_known => handshake.address(address.ip()),
                _ => handshake,
            },
        ))
    }
}
