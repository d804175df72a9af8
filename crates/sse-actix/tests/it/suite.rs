//! The rules that every adapter keeps.

use std::{io, net::TcpListener};

use actix_web::{
    App, HttpMessage, HttpRequest, HttpServer, Responder,
    dev::Service,
    middleware::Compress,
    web::{self, Data},
};
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_testkit::adapter::{Adapter, Stop, TestApp};

struct Actix;

async fn events(
    handshake: SseHandshake,
    request: HttpRequest,
    app: Data<TestApp>,
) -> Result<SseResponse, Rejection> {
    Ok(app.connect(handshake, request.uri().query())?.into())
}

async fn tokens(app: Data<TestApp>) -> impl Responder {
    sse_actix::event_stream(app.tokens())
}

impl Adapter for Actix {
    fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
        let data = Data::new(app.clone());
        let factory = move || {
            let compressed = web::scope("/compressed")
                .wrap(Compress::default())
                .route("/prose", web::get().to(async || TestApp::PROSE))
                .route("/events", web::to(events));
            let app = App::new()
                .wrap_fn(|request, service| {
                    // A stand-in for an app's authentication.
                    if let Some(app) = request.app_data::<Data<TestApp>>() {
                        let caller = app.caller(request.uri().query());
                        request.extensions_mut().insert(caller);
                    }
                    service.call(request)
                })
                .app_data(data.clone())
                .route("/events", web::to(events))
                .route("/tokens", web::get().to(tokens))
                .route("/ping", web::get().to(async || "pong"))
                .service(compressed);
            #[cfg(feature = "trpc")]
            let app = app.service(sse_actix::trpc("/api/trpc", data.management()));
            app
        };
        actix_web::rt::System::new().block_on(
            sse_actix::serve(listener, HttpServer::new(factory).workers(2))
                .manager(app.manager())
                .shutdown_options(app.drain())
                .with_graceful_shutdown(stop)
                .into_future(),
        )
    }
}

sse_testkit::adapter_suite!(
    Actix,
    [
        compression,
        #[cfg(feature = "http2")]
        http2,
        #[cfg(feature = "trpc")]
        management,
    ]
);
