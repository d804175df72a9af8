//! A service for plain Hyper, as a user would write it, on its own port.

use std::{
    convert::Infallible,
    future::{Future, IntoFuture},
    net::SocketAddr,
    pin::Pin,
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, BodyStream, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use sse_core::{
    DisconnectReason, Handshake, Manager, ManagerBuilder,
    hooks::{Disconnection, Hooks, StreamInfo},
};
use sse_hyper::{KeepBody, Serve, TransportStats, TransportStatsHandle};
use sse_testkit::{RawClient, RawRequest};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};
use tower_service::Service;

use crate::upgrade::echo;

/// Size of the response on `/large`: more than sockets take.
pub(crate) const LARGE: usize = 32 << 20;

/// Timeout that is long enough for a busy machine. A test that exceeds it has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The service and its shared state.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) managers: Vec<Manager>,
    /// Permits for requests for `/slow` and `/late` to continue.
    pub(crate) gate: Arc<Semaphore>,
    /// One permit for every request that waits at the gate.
    pub(crate) waiting: Arc<Semaphore>,
    /// Number of responses with a guard.
    pub(crate) guards: Arc<AtomicUsize>,
    /// One reference for each server, connection and response in flight.
    alive: Arc<()>,
}

pub(crate) struct App {
    pub(crate) site: Site,
    pub(crate) manager: Manager,
    pub(crate) address: SocketAddr,
    departures: Departures,
    transports: TransportStatsHandle,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone, Default)]
struct Departures(Arc<Mutex<Vec<DisconnectReason>>>);

impl Hooks for Departures {
    fn disconnected(&self, _: &StreamInfo, departure: &Disconnection) {
        self.0.lock().unwrap().push(departure.reason);
    }
}

impl Site {
    async fn answer(self, mut request: Request<Incoming>) -> Result<Reply, Infallible> {
        Ok(match request.uri().path() {
            "/events" => self.stream(request, 0),
            "/others" => self.stream(request, 1),
            "/layered" => layered(self.stream(request, 0)),
            "/opted-out" => with(self.stream(request, 0), |response| {
                response.extensions_mut().insert(KeepBody);
            }),
            "/encoded" => with(self.stream(request, 0), |response| {
                response
                    .headers_mut()
                    .insert("content-encoding", HeaderValue::from_static("x-own"));
            }),
            "/replaced" => self
                .stream(request, 0)
                .map(|_| Full::from("instead").boxed_unsync()),
            "/shouted" => shouted(self.stream(request, 0)),
            "/limited" => limited(self.stream(request, 0)),
            "/streamed" => self
                .stream(request, 0)
                .map(|body| StreamBody::new(BodyStream::new(body)).boxed_unsync()),
            "/begun" => begun(self.stream(request, 0)).await,
            "/guarded" => guarded(self.stream(request, 0), Guard::new(&self.guards)),
            "/cookies" => with(self.stream(request, 0), cookies),
            "/large-head" => with(self.stream(request, 0), large_head),
            "/large" => Response::new(Full::from(vec![b'x'; LARGE]).boxed_unsync()),
            "/ping" => whole("pong"),
            "/slow" => {
                self.pass().await;
                whole("done")
            }
            "/late" => {
                self.pass().await;
                self.stream(request, 0)
            }
            "/upgrade" => {
                tokio::spawn(echo(hyper::upgrade::on(&mut request)));
                switching()
            }
            _ => empty(StatusCode::NOT_FOUND),
        })
    }

    fn stream(&self, request: Request<Incoming>, manager: usize) -> Reply {
        let (parts, _) = request.into_parts();
        let user = parts
            .uri
            .query()
            .and_then(|query| query.strip_prefix("user="));
        let handshake = sse_hyper::handshake(&parts);
        let handshake = user.into_iter().fold(handshake, Handshake::user);
        let response = match self.managers[manager].connect(handshake) {
            Ok(session) => sse_hyper::response(session),
            Err(refused) => sse_hyper::rejection(&refused),
        };
        response.map(BodyExt::boxed_unsync)
    }

    async fn pass(&self) {
        self.waiting.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
    }
}

impl Service<Request<Incoming>> for Site {
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

fn with(mut response: Reply, change: impl FnOnce(&mut Reply)) -> Reply {
    change(&mut response);
    response
}

fn cookies(response: &mut Reply) {
    for value in ["a=1; Path=/", "b=2; HttpOnly"] {
        response
            .headers_mut()
            .append("set-cookie", HeaderValue::from_static(value));
    }
    response.headers_mut().insert(
        "date",
        HeaderValue::from_static("Tue, 15 Nov 1994 08:12:31 GMT"),
    );
    response
        .headers_mut()
        .insert("connection", HeaderValue::from_static("keep-alive"));
}

/// More bytes than a narrow socket takes at once.
fn large_head(response: &mut Reply) {
    let value = HeaderValue::from_str(&"v".repeat(8 << 10)).unwrap();
    for number in 0..32 {
        response.headers_mut().insert(
            HeaderName::from_str(&format!("x-large-{number}")).unwrap(),
            value.clone(),
        );
    }
}

/// A middleware that reads the first bytes.
async fn begun(response: Reply) -> Reply {
    let (parts, mut body) = response.into_parts();
    let first = body.frame().await.unwrap().unwrap();
    let first = futures_util::stream::once(async { Ok(first) });
    let body = StreamBody::new(futures_util::StreamExt::chain(first, BodyStream::new(body)));
    Response::from_parts(parts, body.boxed_unsync())
}

/// A guard that counts while it lives.
struct Guard(Arc<AtomicUsize>);

impl Guard {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A middleware that counts the responses in flight.
fn guarded(response: Reply, guard: Guard) -> Reply {
    response.map(|inner| {
        Guarded {
            inner,
            _guard: guard,
        }
        .boxed_unsync()
    })
}

/// A body that passes everything on.
struct Guarded {
    inner: UnsyncBoxBody<Bytes, Infallible>,
    _guard: Guard,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A middleware that changes the bytes, but not their number.
fn shouted(response: Reply) -> Reply {
    response.map(|body| {
        body.map_frame(|frame| frame.map_data(|data| data.to_ascii_uppercase().into()))
            .boxed_unsync()
    })
}

/// A middleware that limits the number of bytes.
fn limited(response: Reply) -> Reply {
    response.map(|body| {
        let limited = Limited::new(body, 1 << 40);
        limited
            .map_err(|_| -> Infallible { unreachable!("no response of this app is that long") })
            .boxed_unsync()
    })
}

pub(crate) fn whole(text: &'static str) -> Reply {
    Response::new(Full::from(text).boxed_unsync())
}

fn empty(status: StatusCode) -> Reply {
    let mut response = whole("");
    *response.status_mut() = status;
    response
}

fn switching() -> Reply {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    response
        .headers_mut()
        .insert("connection", HeaderValue::from_static("upgrade"));
    response
        .headers_mut()
        .insert("upgrade", HeaderValue::from_static("echo"));
    response
}

/// A middleware that adds fields and extensions, and wraps the body.
fn layered(mut response: Reply) -> Reply {
    response
        .headers_mut()
        .insert("x-layer", HeaderValue::from_static("kept"));
    response
        .headers_mut()
        .append("vary", HeaderValue::from_static("origin"));
    response.extensions_mut().insert("a middleware's own");
    response.map(|body| body.map_err(|error| error).boxed_unsync())
}

impl App {
    pub(crate) async fn start(builder: ManagerBuilder) -> Self {
        Self::start_with(builder, |serve| serve).await
    }

    pub(crate) async fn start_with<F>(builder: ManagerBuilder, settings: F) -> Self
    where
        F: FnOnce(Serve<Site>) -> Serve<Site>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, builder, settings)
    }

    /// Starts the app with streams that stay with hyper.
    pub(crate) async fn start_with_bodies(builder: ManagerBuilder) -> Self {
        Self::start_with(builder, Serve::without_reactor).await
    }

    /// Starts the app with sockets that take little, so that a client that does not read is
    /// detected after a few bytes.
    pub(crate) async fn start_narrow<F>(builder: ManagerBuilder, settings: F) -> Self
    where
        F: FnOnce(Serve<Site>) -> Serve<Site>,
    {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self::start_on(socket.listen(64).unwrap(), builder, settings)
    }

    fn start_on<F>(listener: TcpListener, builder: ManagerBuilder, settings: F) -> Self
    where
        F: FnOnce(Serve<Site>) -> Serve<Site>,
    {
        let departures = Departures::default();
        let builder = builder
            .hooks(departures.clone())
            .access(sse_core::access::AllowAll);
        let managers: Vec<_> = (0..2).map(|_| builder.clone().build().unwrap()).collect();
        let site = Site {
            managers: managers.clone(),
            gate: Arc::new(Semaphore::new(0)),
            waiting: Arc::new(Semaphore::new(0)),
            guards: Arc::default(),
            alive: Arc::default(),
        };
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let transports = TransportStatsHandle::default();
        let server = settings(sse_hyper::serve(listener, site.clone()))
            .transports(&transports)
            .manager(&managers[0])
            .manager(&managers[1])
            .with_graceful_shutdown(stopped);
        let server = tokio::spawn(server.into_future());
        let manager = managers[0].clone();
        Self {
            site,
            manager,
            address,
            departures,
            transports,
            stop: Some(stop),
            server,
        }
    }

    /// Opens a stream and reads its first event.
    pub(crate) async fn open(&self, path: &str) -> RawClient {
        let mut client = RawRequest::get(self.address, path).open().await.unwrap();
        let hello = client.next_event_within(TIMEOUT).await.unwrap();
        assert_eq!(hello.event_type, "connection");
        client
    }

    /// Returns the number of connections that have a socket or a response in flight.
    pub(crate) fn connections(&self) -> usize {
        let server = usize::from(!self.server.is_finished());
        Arc::strong_count(&self.site.alive) - 1 - server + self.transports().reactor.streams
    }

    pub(crate) fn guards(&self) -> usize {
        self.site.guards.load(Ordering::SeqCst)
    }

    pub(crate) fn transports(&self) -> TransportStats {
        self.transports.stats()
    }

    pub(crate) async fn until(&self, mut reached: impl FnMut(&Self) -> bool) {
        let all = async {
            while !reached(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let state = || {
            format!(
                "not reached: {} connections, {:?}",
                self.connections(),
                self.manager.stats()
            )
        };
        tokio::time::timeout(TIMEOUT, all)
            .await
            .unwrap_or_else(|_| panic!("{}", state()));
    }

    /// Waits until a request is at the gate.
    pub(crate) async fn request_arrived(&self) {
        tokio::time::timeout(TIMEOUT, self.site.waiting.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
    }

    pub(crate) async fn departures(&self, count: usize) -> Vec<DisconnectReason> {
        self.until(|app| app.departures.0.lock().unwrap().len() >= count)
            .await;
        self.departures.0.lock().unwrap().clone()
    }

    /// Stops the server, as a signal would.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the end of the server, which leaves no connection open.
    pub(crate) async fn stopped(self) {
        tokio::time::timeout(TIMEOUT, self.server)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(
            self.manager.stats().total_connections + self.manager.stats().ending,
            0
        );
    }
}
