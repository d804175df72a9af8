//! Middleware of configured mode.

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
use sse_axum::{PeerAddr, request_view};
use sse_core::{Caller, ConnectErrorKind, Manager};
use tracing::Instrument as _;

use crate::app::{access_log::shown_path, auth_log, secured::Secured};

/// Determines the address of the client and the origin of the hub as the client sees it. Headers
/// count only if they come from trusted proxies.
pub(crate) async fn locate(
    State(configured): State<Arc<Secured>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(PeerAddr(peer)) = request.extensions().get().copied() {
        let (mut parts, body) = request.into_parts();
        let (client, own) = {
            let request = request_view(&parts);
            let proxies = &configured.proxies;
            (
                proxies.client(peer.ip(), &request),
                proxies.own_origin(peer.ip(), &request, configured.scheme),
            )
        };
        if let Some(own) = own {
            parts.extensions.insert(own);
        }
        parts
            .extensions
            .insert(PeerAddr((client, peer.port()).into()));
        request = Request::from_parts(parts, body);
    }
    next.run(request).await
}

/// Authenticates the caller of a stream, or records why the stream is rejected.
pub(crate) async fn streams(
    State(configured): State<Arc<Secured>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let client = auth_log::client(address(&parts));
    let admitted = match configured.rates.check_rate(address(&parts)) {
        Ok(()) => {
            configured
                .streams
                .admit(&request_view(&parts))
                .instrument(client.clone())
                .await
        }
        Err(cause) => Err(cause),
    };
    let admitted = admitted.and_then(|caller| configured.rates.may_open(&caller).map(|()| caller));
    note(&mut parts, admitted);
    next.run(Request::from_parts(parts, body))
        .instrument(client)
        .await
}

/// Authenticates the caller of the management API, or records why the call is rejected.
pub(crate) async fn calls(
    State(configured): State<Arc<Secured>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let client = auth_log::client(address(&parts));
    let admitted = configured
        .calls
        .admit(&request_view(&parts))
        .instrument(client.clone())
        .await;
    let is_admitted = admitted.is_ok();
    note(&mut parts, admitted);
    // Nested routes do not see the prefix of their path.
    let path = match parts.uri.path() {
        "/metrics" => "/metrics".to_owned(),
        path => format!("/api/trpc{path}"),
    };
    let response = next
        .run(Request::from_parts(parts, body))
        .instrument(client.clone())
        .await;
    if is_admitted && response.status() == StatusCode::FORBIDDEN {
        client.in_scope(|| auth_log::call_refused(&shown_path(&path)));
    }
    response
}

/// Admits callers that may manage: a backend by its key, or an admin.
pub(crate) async fn managers(
    State(manager): State<Manager>,
    request: Request,
    next: Next,
) -> Response {
    let known = request.extensions();
    match (known.get::<ConnectErrorKind>(), known.get::<Caller>()) {
        (None, Some(caller)) if manager.access().may_manage(caller) => next.run(request).await,
        (
            Some(ConnectErrorKind::Unauthenticated) | None,
            Some(Caller { user: None, .. }) | None,
        ) => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response(),
        (Some(ConnectErrorKind::RateLimit), _) => StatusCode::TOO_MANY_REQUESTS.into_response(),
        (Some(ConnectErrorKind::Unavailable), _) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => StatusCode::FORBIDDEN.into_response(),
    }
}

fn note(parts: &mut Parts, admitted: Result<Caller, ConnectErrorKind>) {
    match admitted {
        Ok(caller) => drop(parts.extensions.insert(caller)),
        Err(ConnectErrorKind::CrossSite(page)) => {
            let text = format!("{page}; to allow them, list the origin in --origins");
            parts.extensions.insert(ConnectErrorKind::CrossSite(text));
        }
        Err(cause) => drop(parts.extensions.insert(cause)),
    }
}

/// Returns the peer address that the server inserts. All requests without an address share a limit,
/// which is safe.
fn address(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get()
        .map_or(Ipv4Addr::UNSPECIFIED.into(), |PeerAddr(address)| {
            address.ip()
        })
}
