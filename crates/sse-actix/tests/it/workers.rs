//! Workers that share a manager.

use std::{
    collections::HashSet,
    future::pending,
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use actix_web::{
    App, HttpServer, Responder,
    web::{self, Data},
};
use futures_util::future::join_all;
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_core::{Event, Manager};
use sse_testkit::{RawClient, RawRequest, request};

const TIMEOUT: Duration = Duration::from_secs(60);
const CLIENTS: usize = 16;
const AUTHORS: usize = 8;
const EACH: usize = 25;

/// Header that names the worker of a response.
const WORKER: &str = "x-worker";

fn worker() -> (&'static str, String) {
    (WORKER, format!("{:?}", thread::current().id()))
}

async fn events(handshake: SseHandshake, sse: Data<Manager>) -> Result<impl Responder, Rejection> {
    Ok(SseResponse::from(sse.connect(handshake)?)
        .customize()
        .insert_header(worker()))
}

async fn say(sse: Data<Manager>, text: String) -> impl Responder {
    let receipt = sse.all().publish(Event::text(text)).await.unwrap();
    receipt
        .matched
        .to_string()
        .customize()
        .insert_header(worker())
}

fn serve(manager: &Manager) -> SocketAddr {
    let data = Data::new(manager.clone());
    let app = move || {
        App::new()
            .app_data(data.clone())
            .route("/events", web::to(events))
            .route("/say", web::post().to(say))
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = sse_actix::serve(listener, HttpServer::new(app).workers(4)).manager(manager);
    actix_web::rt::spawn(server.with_graceful_shutdown(pending()).into_future());
    address
}

async fn connect(address: SocketAddr) -> RawClient {
    let mut client = RawRequest::get(address, "/events").open().await.unwrap();
    assert_eq!(
        client.next_event_within(TIMEOUT).await.unwrap().event_type,
        "connection"
    );
    client
}

/// Posts its texts one after the other. Returns the workers that took them.
async fn author(address: SocketAddr, name: usize) -> HashSet<String> {
    let mut workers = HashSet::new();
    for count in 0..EACH {
        let answer = request(address, "POST", "/say", &[], format!("{name} {count}"))
            .await
            .unwrap();
        assert_eq!(answer.text().unwrap(), CLIENTS.to_string());
        workers.insert(answer.headers.get(WORKER).unwrap().to_owned());
    }
    workers
}

async fn texts(client: &mut RawClient) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < AUTHORS * EACH {
        texts.push(client.next_event_within(TIMEOUT).await.unwrap().data);
    }
    texts
}

#[actix_web::test]
async fn a_broadcast_reaches_the_clients_of_all_workers() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager);
    let mut clients = join_all((0..CLIENTS).map(|_| connect(address))).await;
    let mut workers = HashSet::new();
    for client in &mut clients {
        workers.insert(
            client
                .head()
                .await
                .unwrap()
                .headers
                .get(WORKER)
                .unwrap()
                .to_owned(),
        );
    }
    assert!(workers.len() > 1, "one worker has all clients");
    manager
        .all()
        .publish(Event::text("to everybody"))
        .await
        .unwrap();
    for client in &mut clients {
        assert_eq!(
            client.next_event_within(TIMEOUT).await.unwrap().data,
            "to everybody"
        );
    }
}

#[actix_web::test]
async fn concurrent_publishes_of_workers_have_one_order() {
    let manager = Manager::builder().build().unwrap();
    let address = serve(&manager);
    let mut clients = join_all((0..CLIENTS).map(|_| connect(address))).await;
    let workers = join_all((0..AUTHORS).map(|name| author(address, name))).await;
    assert!(
        workers.into_iter().flatten().collect::<HashSet<_>>().len() > 1,
        "one worker publishes all"
    );

    let first = texts(&mut clients[0]).await;
    for client in &mut clients[1..] {
        assert_eq!(texts(client).await, first);
    }
    for name in 0..AUTHORS {
        let prefix = format!("{name} ");
        let own: Vec<_> = first
            .iter()
            .filter_map(|text| text.strip_prefix(&prefix))
            .collect();
        let said: Vec<_> = (0..EACH).map(|count| count.to_string()).collect();
        assert_eq!(own, said, "author {name}");
    }
}
