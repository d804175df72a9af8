//! The server that a hyper user writes today: HTTP/1 connections, a bounded channel as the body of
//! each stream, and a loop of sends.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::Map;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::interval;
use tokio_stream::wrappers::ReceiverStream;

use crate::servers::serving::Serving;

/// Interval between keep-alive comments, the same as axum's.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Frames = Map<ReceiverStream<Bytes>, fn(Bytes) -> Result<Frame<Bytes>, Infallible>>;
type Body = Either<StreamBody<Frames>, Empty<Bytes>>;

/// Serves until it fails.
pub(crate) fn serve(listener: StdListener, serving: &Serving) -> anyhow::Result<()> {
    serving.runtime()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let clients = Arc::new(Clients::new(serving.capacity));
        tokio::spawn(keep_alive(Arc::clone(&clients)));
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(connection(socket, Arc::clone(&clients)));
        }
    })
}

async fn connection(socket: TcpStream, clients: Arc<Clients>) {
    // Not fatal: the connection works without the option, only slower.
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&clients)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service);
    // A client that disconnects is an error, too.
    let _ = served.await;
}

async fn answer(
    request: Request<Incoming>,
    clients: Arc<Clients>,
) -> hyper::Result<Response<Body>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/sse") => Ok(stream(clients.join())),
        // Boxed, since hyper keeps room for the largest response for as long as a connection lives.
        (&Method::POST, "/publish") => Box::pin(publish(request.into_body(), clients)).await,
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

async fn publish(body: Incoming, clients: Arc<Clients>) -> hyper::Result<Response<Body>> {
    let data = body.collect().await?.to_bytes();
    clients.send(&event(&data));
    Ok(status(StatusCode::OK))
}

fn stream(events: Receiver<Bytes>) -> Response<Body> {
    let frames: Frames = ReceiverStream::new(events).map(|event| Ok(Frame::data(event)));
    let mut response = Response::new(Either::Left(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}

/// Encodes a payload, which is always one line.
fn event(data: &[u8]) -> Bytes {
    [b"event: tick\ndata: ".as_slice(), data, b"\n\n"]
        .concat()
        .into()
}

async fn keep_alive(clients: Arc<Clients>) {
    let mut ticks = interval(KEEP_ALIVE);
    loop {
        ticks.tick().await;
        clients.send(&Bytes::from_static(b":\n\n"));
    }
}

/// The sending ends of all streams.
struct Clients {
    senders: Mutex<Vec<Sender<Bytes>>>,
    capacity: usize,
}

impl Clients {
    fn new(capacity: usize) -> Self {
        Self {
            senders: Mutex::default(),
            capacity,
        }
    }

    fn join(&self) -> Receiver<Bytes> {
        let (sender, receiver) = channel(self.capacity);
        self.senders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        receiver
    }

    /// Sends to all, and ends streams that are disconnected or lag too far.
    fn send(&self, event: &Bytes) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|sender| sender.try_send(event.clone()).is_ok());
    }
}
