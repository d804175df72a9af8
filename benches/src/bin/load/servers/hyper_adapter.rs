//! The server that a hyper user writes with `sse-hyper`.

use std::net::TcpListener as StdListener;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Empty};
use hyper::body::Incoming;
use sse_core::Manager;
use sse_hyper::SseBody;
use tokio::net::TcpListener;

use crate::servers::manager::{self, manager};
use crate::servers::serving::{Serving, Switch};

type Body = Either<SseBody, Empty<Bytes>>;

/// Serves until it fails.
pub(crate) fn serve(listener: StdListener, serving: &Serving) -> anyhow::Result<()> {
    let sse = manager(serving)?;
    serving.runtime()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let service = tower::service_fn({
            let sse = sse.clone();
            move |request| answer(request, sse.clone())
        });
        let server = sse_hyper::serve(listener, service).manager(&sse);
        let server = match serving.reactor {
            Switch::On => server.reactor_threads(serving.reactor_threads()),
            Switch::Off => server.without_reactor(),
        };
        server.await.context("serving")
    })
}

async fn answer(request: Request<Incoming>, sse: Manager) -> hyper::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/sse") => {
            let response = match sse.connect(sse_hyper::handshake(&parts)) {
                Ok(session) => sse_hyper::response(session),
                Err(refused) => sse_hyper::rejection(&refused),
            };
            Ok(response.map(Either::Left))
        }
        // Boxed, since hyper keeps room for the largest response for as long as a connection lives.
        (&Method::POST, "/publish") => Box::pin(publish(sse, body)).await,
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

async fn publish(sse: Manager, body: Incoming) -> hyper::Result<Response<Body>> {
    let data = body.collect().await?.to_bytes();
    let Ok(data) = std::str::from_utf8(&data) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    Ok(match manager::publish(&sse, data).await {
        Ok(_) => status(StatusCode::OK),
        Err(_) => status(StatusCode::BAD_REQUEST),
    })
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}
