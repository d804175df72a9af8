//! The server that an Actix user writes today: `sse` of actix-web-lab, and the broadcaster that
//! Actix's examples contain. The broadcaster has a channel of 10 events for each stream. A
//! broadcast sends to all streams concurrently and waits until each has taken the event. Every 10 s
//! a ping goes to all.

use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::time::interval;
use actix_web::{App, HttpResponse, HttpServer, Responder, rt, web};
use actix_web_lab::sse::{Data, Event, Sse};
use anyhow::Context;
use futures_util::future::join_all;
use tokio::sync::mpsc::{Sender, channel};

use crate::servers::serving::Serving;

const CAPACITY: usize = 10;
const PING: Duration = Duration::from_secs(10);

/// Serves until it fails.
pub(crate) fn serve(listener: TcpListener, serving: &Serving) -> anyhow::Result<()> {
    let workers = serving.workers();
    rt::System::new().block_on(async {
        let clients = web::Data::new(Broadcaster::default());
        rt::spawn(ping(clients.clone().into_inner()));
        let app = move || {
            App::new()
                .app_data(clients.clone())
                .route("/sse", web::get().to(stream))
                .route("/publish", web::post().to(publish))
        };
        let server = HttpServer::new(app)
            .workers(workers)
            .tcp_nodelay(true)
            .disable_signals();
        // A publish that waits for ten thousand writes would be refused after 5 s (408).
        let server = server.client_request_timeout(Duration::ZERO);
        server.listen(listener)?.run().await.context("serving")
    })
}

async fn stream(clients: web::Data<Broadcaster>) -> impl Responder {
    let (sender, events) = channel(CAPACITY);
    // The channel has room, and its receiver exists.
    let _ = sender.send(Data::new("connected").into()).await;
    clients.add(sender);
    Sse::from_infallible_receiver(events)
}

async fn publish(clients: web::Data<Broadcaster>, data: String) -> HttpResponse {
    clients
        .broadcast(&Data::new(data).event("tick").into())
        .await;
    HttpResponse::Ok().finish()
}

async fn ping(clients: std::sync::Arc<Broadcaster>) {
    let mut ticks = interval(PING);
    loop {
        ticks.tick().await;
        clients.remove_stale().await;
    }
}

/// The sending ends of all streams.
#[derive(Default)]
struct Broadcaster {
    clients: Mutex<Vec<Sender<Event>>>,
}

impl Broadcaster {
    fn add(&self, client: Sender<Event>) {
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(client);
    }

    fn all(&self) -> Vec<Sender<Event>> {
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until each stream has taken the event or is disconnected. The streams share the event;
    /// the broadcaster of the examples copies its text for each stream.
    async fn broadcast(&self, event: &Event) {
        let clients = self.all();
        join_all(clients.iter().map(|client| client.send(event.clone()))).await;
    }

    /// Removes disconnected clients. Unlike the broadcaster of the examples, this keeps clients
    /// that connect meanwhile.
    async fn remove_stale(&self) {
        for client in self.all() {
            // An error means that the client is disconnected, which is checked below.
            let _ = client.send(Event::Comment("ping".into())).await;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| !client.is_closed());
    }
}
