//! Configured mode, in front of the routes.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header::WWW_AUTHENTICATE, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sse_axum::{PeerAddr, view};
use sse_core::{Caller, Cause, Manager};

use crate::configured::Configured;

/// Says where a client is, as far as proxies that are trusted tell.
pub(crate) async fn locate(
    State(configured): State<Arc<Configured>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(PeerAddr(peer)) = request.extensions().get().copied() {
        let (mut parts, body) = request.into_parts();
        let client = configured.proxies.client(peer.ip(), &view(&parts));
        parts.extensions.insert(PeerAddr((client, peer.port()).into()));
        request = Request::from_parts(parts, body);
    }
    next.run(request).await
}

/// Says who opens a stream, or why it is refused.
pub(crate) async fn streams(
    State(configured): State<Arc<Configured>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = match configured.rates.may_knock(address(&parts)) {
        Ok(()) => configured.streams.admit(&view(&parts)).await,
        Err(cause) => Err(cause),
    };
    let admitted = admitted.and_then(|caller| configured.rates.may_open(&caller).map(|()| caller));
    note(&mut parts, admitted);
    next.run(Request::from_parts(parts, body)).await
}

/// Says who calls the management API, or why it is refused.
pub(crate) async fn calls(
    State(configured): State<Arc<Configured>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = configured.calls.admit(&view(&parts)).await;
    note(&mut parts, admitted);
    next.run(Request::from_parts(parts, body)).await
}

/// Lets in who may manage: a backend by its key, or an admin.
pub(crate) async fn managers(State(manager): State<Manager>, request: Request, next: Next) -> Response {
    let known = request.extensions();
    match (known.get::<Cause>(), known.get::<Caller>()) {
        (None, Some(caller)) if manager.access().may_manage(caller) => next.run(request).await,
        (Some(Cause::Unauthenticated) | None, Some(Caller { user: None, .. }) | None) => {
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response()
        }
        (Some(Cause::RateLimit), _) => StatusCode::TOO_MANY_REQUESTS.into_response(),
        (Some(Cause::Unavailable), _) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => StatusCode::FORBIDDEN.into_response(),
    }
}

fn note(parts: &mut Parts, admitted: Result<Caller, Cause>) {
    match admitted {
        Ok(caller) => drop(parts.extensions.insert(caller)),
        Err(cause) => drop(parts.extensions.insert(cause)),
    }
}

/// The server puts it there; without one all share a limit, which is safe.
fn address(parts: &Parts) -> IpAddr {
    parts.extensions.get().map_or(Ipv4Addr::UNSPECIFIED.into(), |PeerAddr(address)| address.ip())
}
