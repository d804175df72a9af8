//! The server that an Actix user writes with `sse-actix`.

use std::future::pending;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use anyhow::Context;
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_core::Manager;

use crate::servers::manager::{self, manager};
use crate::servers::serving::Serving;

/// Serves until it fails.
pub(crate) fn serve(listener: TcpListener, serving: &Serving) -> anyhow::Result<()> {
    let sse = manager(serving)?;
    let workers = serving.workers();
    rt::System::new().block_on(async {
        let data = web::Data::new(sse.clone());
        let app = move || {
            App::new()
                .app_data(data.clone())
                .route("/sse", web::get().to(stream))
                .route("/publish", web::post().to(publish))
        };
        // The timeout is off for the same reason as in `actix-native`.
        let server = HttpServer::new(app)
            .workers(workers)
            .client_request_timeout(Duration::ZERO);
        let server = sse_actix::serve(listener, server).manager(&sse);
        // Without a handler, a signal ends the server at once, as it ends the other servers.
        server
            .with_graceful_shutdown(pending())
            .await
            .context("serving")
    })
}

async fn stream(
    handshake: SseHandshake,
    sse: web::Data<Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

async fn publish(sse: web::Data<Manager>, data: String) -> HttpResponse {
    match manager::publish(&sse, &data).await {
        Ok(_) => HttpResponse::Ok().finish(),
        Err(error) => HttpResponse::BadRequest().body(error.to_string()),
    }
}
