//! The management API as a router.

use std::{borrow::Cow, convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use futures_util::StreamExt;
use http::{Extensions, HeaderName, HeaderValue, StatusCode};
use sse_core::{Caller, ConnectErrorKind};
use sse_hyper::PeerAddr;
use sse_trpc::{Content, Headers, Management};

/// Creates a router that serves the management API. Nest the router under any path:
/// `.nest("/api/trpc", sse_axum::trpc(management))`.
///
/// The caller is the [`Caller`] in the request's extensions, where the app's authentication puts
/// it. Without a [`Caller`], the request is anonymous. A [`ConnectErrorKind`] in the extensions is
/// the reason for a rejection.
///
/// The router has its own state, so it can be nested in a router of any state.
pub fn trpc<S: Clone + Send + Sync + 'static>(management: Management) -> Router<S> {
    Router::new().fallback(call).with_state(management)
}

async fn call(State(management): State<Management>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = caller(&mut parts.extensions);
    let address = parts.extensions.get().map(|PeerAddr(address)| address.ip());
    let connect_info = || {
        parts
            .extensions
            .get()
            .map(|ConnectInfo::<SocketAddr>(address)| address.ip())
    };
    let request = sse_trpc::Request {
        method: parts.method.as_str(),
        path: parts.uri.path().trim_start_matches('/'),
        query: parts.uri.query(),
        headers: Headers::read(|name| parts.headers.get(name).map(HeaderValue::as_bytes)),
        caller,
        address: address.or_else(connect_info),
    };
    into_response(management.handle(request, body.into_data_stream()).await)
}

/// Takes the result of authentication out of the extensions.
fn caller(extensions: &mut Extensions) -> Result<Caller, ConnectErrorKind> {
    match extensions.remove::<ConnectErrorKind>() {
        Some(cause) => Err(cause),
        None => Ok(extensions.remove::<Caller>().unwrap_or_default()),
    }
}

fn into_response(answer: sse_trpc::Response) -> Response {
    let mut response = match answer.body {
        Content::Whole(bytes) => Response::new(Body::from(bytes)),
        Content::Lines(lines) => Response::new(Body::from_stream(lines.map(Ok::<_, Infallible>))),
        Content::Events(session) => sse_hyper::response(session).map(Body::new),
    };
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        let value = match value {
            Cow::Borrowed(value) => Ok(HeaderValue::from_static(value)),
            Cow::Owned(value) => HeaderValue::try_from(value),
        };
        if let Ok(value) = value {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}
