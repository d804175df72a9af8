//! The rules that every adapter keeps.

use std::{convert::Infallible, io, net::TcpListener};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use sse_hyper::{Fallback, TransportStatsHandle};
use sse_testkit::adapter::{Adapter, Stop, TestApp};
use tower::service_fn;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Reply = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// The default: a reactor serves the streams.
struct Hyper;

/// Streams stay with hyper.
struct Bodies;

async fn answer(app: TestApp, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let (parts, _) = request.into_parts();
    Ok(match parts.uri.path() {
        "/events" => match app.connect(sse_hyper::handshake(&parts), parts.uri.query()) {
            Ok(session) => boxed(sse_hyper::response(session)),
            Err(refused) => boxed(sse_hyper::rejection(&refused)),
        },
        "/tokens" => boxed(sse_hyper::event_stream(app.tokens())),
        "/ping" => boxed(Response::new(Full::from("pong"))),
        _ => {
            let mut response = boxed(Response::new(Full::default()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    })
}

fn boxed<B>(response: Response<B>) -> Reply
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// The expected transport, which the rules do not check.
enum Transport {
    Reactor,
    Bodies,
}

fn serve(
    listener: TcpListener,
    app: &TestApp,
    stop: Stop,
    transport: &Transport,
) -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let service = service_fn({
            let app = app.clone();
            move |request| answer(app.clone(), request)
        });
        let server = sse_hyper::serve(listener, service)
            .manager(app.manager())
            .shutdown_options(app.drain());
        let server = match transport {
            Transport::Reactor => server,
            Transport::Bodies => server.without_reactor(),
        };
        let transports = TransportStatsHandle::default();
        server
            .transports(&transports)
            .with_graceful_shutdown(stop)
            .await?;
        // The server waits for its connections, but a thread of the reactor uncounts them
        // afterwards.
        while transports.stats().reactor.streams > 0 {
            tokio::task::yield_now().await;
        }
        let stats = transports.stats();
        match transport {
            Transport::Reactor => assert_eq!(stats.bodies.get(Fallback::Off), 0, "{stats:?}"),
            Transport::Bodies => assert_eq!(stats.reactor.adopted, 0, "{stats:?}"),
        }
        assert_eq!(
            (stats.reactor.panics, stats.reactor.failed),
            (0, 0),
            "{stats:?}"
        );
        Ok(())
    })
}

impl Adapter for Hyper {
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
        serve(listener, &app, stop, &Transport::Reactor)
    }
}

impl Adapter for Bodies {
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
        serve(listener, &app, stop, &Transport::Bodies)
    }
}

#[cfg(feature = "http2")]
sse_testkit::adapter_suite!(Hyper, [http2]);
#[cfg(not(feature = "http2"))]
sse_testkit::adapter_suite!(Hyper);

mod bodies {
    use super::Bodies;

    sse_testkit::adapter_suite!(Bodies);
}
