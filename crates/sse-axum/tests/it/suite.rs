//! The rules that every adapter keeps.

use std::{io, net::TcpListener};

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{any, get},
};
use sse_axum::{Refusal, Serve, SseHandshake, SseResponse};
use sse_testkit::adapter::{Adapter, Site, Stop};
use tower_http::compression::CompressionLayer;

/// As it comes: a reactor serves the streams.
struct Axum;

/// Streams stay with hyper.
struct Bodies;

async fn events(
    handshake: SseHandshake,
    RawQuery(query): RawQuery,
    State(site): State<Site>,
) -> Result<SseResponse, Refusal> {
    Ok(site.connect(handshake, query.as_deref())?.into())
}

async fn tokens(State(site): State<Site>) -> Response {
    sse_axum::events(site.tokens())
}

/// Stands for an app's authentication.
async fn identify(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let caller = site.caller(request.uri().query());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn app(site: Site) -> Router {
    let compressed = Router::new()
        .route("/prose", get(async || Site::PROSE))
        .route("/events", any(events))
        .layer(CompressionLayer::new());
    let router = Router::new()
        .route("/events", any(events))
        .route("/tokens", get(tokens))
        .route("/ping", get(async || "pong"))
        .nest("/compressed", compressed);
    #[cfg(feature = "trpc")]
    let router = router.nest("/api/trpc", sse_axum::trpc(site.management()));
    router.layer(middleware::from_fn_with_state(site.clone(), identify)).with_state(site)
}

fn serve(listener: TcpListener, site: &Site, stop: Stop, settings: fn(Serve) -> Serve) -> io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        settings(sse_axum::serve(listener, app(site.clone())))
            .manager(site.manager())
            .drain(site.drain())
            .with_graceful_shutdown(stop)
            .await
    })
}

impl Adapter for Axum {
    fn serve(listener: TcpListener, site: Site, stop: Stop) -> io::Result<()> {
        serve(listener, &site, stop, |serve| serve)
    }
}

impl Adapter for Bodies {
    fn serve(listener: TcpListener, site: Site, stop: Stop) -> io::Result<()> {
        serve(listener, &site, stop, Serve::without_reactor)
    }
}

mod bodies {
    use super::Bodies;

    sse_testkit::adapter_suite!(Bodies, [compression]);
}

#[cfg(all(feature = "trpc", feature = "http2"))]
sse_testkit::adapter_suite!(Axum, [compression, management, http2]);

#[cfg(not(all(feature = "trpc", feature = "http2")))]
sse_testkit::adapter_suite!(Axum, [compression]);
