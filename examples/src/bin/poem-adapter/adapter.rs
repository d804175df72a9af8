//! An adapter for Poem, explained step by step in `docs/adding-an-adapter.md`.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use futures_util::Stream;
use http::{StatusCode, uri::Scheme};
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Body, Incoming};
use poem::{
    Addr, Endpoint, FromRequest, IntoEndpoint, IntoResponse, Request, RequestBody, Response,
    error::ResponseError,
    web::{LocalAddr, RemoteAddr},
};
use sse_core::{ConnectError, EventItem, EventStream, Handshake, Session};
use sse_hyper::{PeerAddr, Serve};
use tokio::net::TcpListener;
use tower::{Service, service_fn};

/// The parts of a request that open a stream.
#[derive(Debug)]
pub(crate) struct SseHandshake(pub(crate) Handshake);

impl From<SseHandshake> for Handshake {
    fn from(handshake: SseHandshake) -> Self {
        handshake.0
    }
}

impl<'a> FromRequest<'a> for SseHandshake {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let id = request
            .headers()
            .get("last-event-id")
            .map(http::HeaderValue::as_bytes);
        let accept = request
            .headers()
            .get_all("accept")
            .iter()
            .map(http::HeaderValue::as_bytes);
        let handshake =
            Handshake::from_request(request.method().as_str(), request.uri().query(), id)
                .accept(accept);
        Ok(Self(match request.remote_addr().as_socket_addr() {
            Some(address) => handshake.address(address.ip()),
            None => handshake,
        }))
    }
}

/// A response with a stream.
#[derive(Debug)]
pub(crate) struct SseResponse(pub(crate) Session);

impl IntoResponse for SseResponse {
    fn into_response(self) -> Response {
        answer(sse_hyper::response(self.0))
    }
}

/// Responds with a one-off stream of events.
pub(crate) fn event_stream<S>(stream: EventStream<S>) -> Response
where
    S: Stream<Item: EventItem> + Send + Sync + 'static,
{
    answer(sse_hyper::event_stream(stream))
}

/// A response that rejects a stream; `?` converts a [`ConnectError`] into it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Rejection(#[from] ConnectError);

impl ResponseError for Rejection {
    fn status(&self) -> StatusCode {
        sse_hyper::rejection(&self.0).status()
    }

    fn as_response(&self) -> Response {
        answer(sse_hyper::rejection(&self.0))
    }
}

/// Converts a response. Poem's bodies fail with I/O errors. The extensions are kept, since `serve`
/// identifies the stream by them.
fn answer<B>(response: http::Response<B>) -> Response
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Sync
        + 'static,
{
    response.map(|body| body.map_err(io::Error::other)).into()
}

/// Serves an app in place of Poem's own server, so that streams end at a shutdown and when their
/// connections are blocked.
pub(crate) fn serve<E>(
    listener: TcpListener,
    app: E,
) -> Serve<
    impl Service<
        http::Request<Incoming>,
        Response = http::Response<BoxBody<Bytes, io::Error>>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static,
>
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    let local = listener.local_addr().map_or_else(
        |_| LocalAddr::default(),
        |address| LocalAddr(address.into()),
    );
    let app = Arc::new(app.into_endpoint());
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (app, local) = (Arc::clone(&app), local.clone());
        async move {
            let remote = match request.extensions().get() {
                Some(PeerAddr(address)) => RemoteAddr((*address).into()),
                None => RemoteAddr(Addr::custom("unknown", "")),
            };
            let request = Request::from((request, local, remote, Scheme::HTTP));
            Ok::<_, Infallible>(app.get_response(request).await.into())
        }
    });
    sse_hyper::serve(listener, service)
}
