//! The parts of a request that a stream needs.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::HeaderValue};
use sse_core::{
    Caller, ConnectErrorKind, Handshake, Topic, UserId, config::Overflow, id::FieldError,
};

/// An extractor of the [`Handshake`] of a request.
///
/// The extractor never fails. [`Manager::connect`](sse_core::Manager::connect) reports and counts
/// an invalid request. The client's address is the address of its connection, regardless of the
/// request's headers. Authentication in front of the handler puts a [`Caller`] or a
/// [`ConnectErrorKind`] into the request's extensions. The stream then belongs to that [`Caller`],
/// or is refused with that [`ConnectErrorKind`].
///
/// ```
/// use actix_web::{App, web};
/// use sse_actix::{Rejection, SseHandshake, SseResponse};
/// use sse_core::Manager;
///
/// async fn events(
///     handshake: SseHandshake,
///     sse: web::Data<Manager>,
/// ) -> Result<SseResponse, Rejection> {
///     Ok(sse.connect(handshake.user("42").topic("news"))?.into())
/// }
///
/// let sse = web::Data::new(Manager::builder().build()?);
/// let app = App::new().app_data(sse).route("/api/sse", web::to(events));
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

impl FromRequest for SseHandshake {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let last_event_id = request
            .headers()
            .get("last-event-id")
            .map(HeaderValue::as_bytes);
        let handshake = Handshake::from_request(
            request.method().as_str(),
            request.uri().query(),
            last_event_id,
        )
        .accept(
            request
                .headers()
                .get_all("accept")
                .map(HeaderValue::as_bytes),
        );
        let handshake = match request.peer_addr() {
            Some(address) => handshake.address(address.ip()),
            None => handshake,
        };
        let known = request.extensions();
        let handshake = match known.get::<Caller>() {
            Some(caller) => handshake.caller(caller.clone()),
            None => handshake,
        };
        ready(Ok(Self(match known.get::<ConnectErrorKind>() {
            Some(cause) => handshake.refuse(cause.clone()),
            None => handshake,
        })))
    }
}
