//! Every phase in which a client can abandon a connection. In each of them the server ends the
//! connection.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use sse_core::Manager;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::app::{App, TIMEOUT};

/// Timeout that is short compared with the timeout of a test.
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(2);

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame (RFC 9113, section 6.5).
pub(crate) const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// SETTINGS with an initial window of no byte (RFC 9113, section 6.5.2).
const NO_WINDOW: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

/// SETTINGS with the largest initial window, and as much for the connection (RFC 9113, section
/// 6.9).
const ALL_WINDOWS: &[u8] =
    b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";

/// The head of a HEADERS frame whose block is longer than the following bytes, and is not the last
/// one.
const HALF_HEADERS: &[u8] = b"\0\0\x04\x01\0\0\0\0\x01\x82\x86\x04\x40";

const GET: &str = "GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Returns a HEADERS frame that is a whole request.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    // `:method: GET`, `:scheme: http`, `:path` and `:authority` (RFC 7541, appendix A).
    let mut block = b"\x82\x86\x04".to_vec();
    block.push(u8::try_from(path.len()).unwrap());
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(b"\x01\x09localhost");
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 5];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend(block);
    frame
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<I: AsyncRead + AsyncWrite + Unpin + Send> Io for I {}

/// A client's connection.
type Client = Box<dyn Io>;

/// The actions of a client on a connection before the client abandons it.
type Deed = fn(Client) -> Pin<Box<dyn Future<Output = Client> + Send>>;

/// Sends bytes, and answers nothing from then on.
macro_rules! sends {
    ($($bytes:expr),*) => {
        |mut client| Box::pin(async move {
            let parts: &[&[u8]] = &[$(&$bytes[..]),*];
            client.write_all(&parts.concat()).await.unwrap();
            client
        })
    };
}

/// Phases of a connection without TLS, or of a TLS connection after the handshake.
const PHASES: [(&str, Deed); 16] = [
    ("no byte", sends!()),
    ("one byte that begins either protocol", sends!(b"P")),
    ("half a head", sends!(b"GET /ping HTTP/1.1\r\nhost: loc")),
    ("a head of empty lines", sends!(b"\r\n\r\n\r\n")),
    ("half a preface", sends!(PREFACE[..12])),
    ("a preface without settings", sends!(PREFACE)),
    ("settings and no request", sends!(PREFACE, SETTINGS)),
    (
        "half of the headers",
        sends!(PREFACE, SETTINGS, HALF_HEADERS),
    ),
    (
        "half of the headers after a request",
        sends!(
            PREFACE,
            SETTINGS,
            get(1, "/ping"),
            b"\0\0\x04\x01\0\0\0\0\x03"
        ),
    ),
    ("kept alive", sends!(GET.as_bytes())),
    (
        "half a head after a request",
        sends!(GET.as_bytes(), b"GET /pi"),
    ),
    ("half a head some time after a request", |mut client| {
        Box::pin(async move {
            client.write_all(GET.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(500)).await;
            client.write_all(b"GET /pi").await.unwrap();
            client
        })
    }),
    (
        "a request without a window",
        sends!(PREFACE, NO_WINDOW, get(1, "/ping")),
    ),
    (
        "a long response without a window",
        sends!(PREFACE, NO_WINDOW, get(1, "/large")),
    ),
    (
        "a response that is not read",
        sends!(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ),
    (
        "a response over HTTP/2 that is not read",
        sends!(PREFACE, ALL_WINDOWS, get(1, "/large")),
    ),
];

/// Phases in which a client continues to send.
const ENDLESS: [(&str, Deed); 3] = [
    ("a head that trickles in", |client| {
        Box::pin(trickle(
            client,
            b"GET /ping HTTP/1.1\r\n".to_vec(),
            b"x: y\r\n",
        ))
    }),
    ("a later head that trickles in", |client| {
        Box::pin(trickle(client, GET.as_bytes().to_vec(), b"\r\n"))
    }),
    ("continuation without an end", |client| {
        Box::pin(trickle(
            client,
            [PREFACE, SETTINGS, HALF_HEADERS].concat(),
            b"\0\0\x01\x09\0\0\0\0\x01a",
        ))
    }),
];

/// Sends the first bytes, and then the next ones until the other side closes the connection.
async fn trickle(mut client: Client, first: Vec<u8>, next: &'static [u8]) -> Client {
    client.write_all(&first).await.unwrap();
    while client.write_all(next).await.is_ok() && client.flush().await.is_ok() {
        sleep(Duration::from_millis(50)).await;
    }
    client
}

async fn app(
    settings: impl FnOnce(sse_hyper::Serve<crate::app::Site>) -> sse_hyper::Serve<crate::app::Site>,
) -> App {
    let builder = Manager::builder().connection_timeout(Duration::from_secs(1));
    // On Linux, the user timeout would close a connection that takes nothing.
    let options = sse_hyper::SocketOptions::default();
    App::start_with(builder, |serve| {
        settings(
            serve
                .header_timeout(HEADER_TIMEOUT)
                .keep_alive_timeout(KEEP_ALIVE)
                .socket_options(options),
        )
    })
    .await
}

/// Waits for the end of a connection, which can be a reset.
async fn expect_end(name: &'static str, mut client: Client) {
    let mut buffer = vec![0; 64 << 10];
    let end = async { while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
    timeout(TIMEOUT, end)
        .await
        .unwrap_or_else(|_| panic!("{name}: the connection is still open"));
}

/// Abandons a connection in each phase, and waits until the server has closed all of them.
async fn all_end<C, F>(app: &App, connect: C, phases: &[(&'static str, Deed)])
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = Client>,
{
    let mut clients = JoinSet::new();
    for (name, deed) in phases.iter().copied() {
        let client = connect(app.address).await;
        // A client that reads nothing closes nothing, so only the server reports the end.
        let reads = !name.contains("not read");
        clients.spawn(async move {
            let client = deed(client).await;
            if reads {
                expect_end(name, client).await;
            } else {
                sleep(TIMEOUT).await;
                drop(client);
            }
        });
    }
    let unread = phases
        .iter()
        .filter(|(name, _)| name.contains("not read"))
        .count();
    for _ in unread..phases.len() {
        timeout(TIMEOUT, clients.join_next())
            .await
            .expect("every connection ends")
            .unwrap()
            .unwrap();
    }
    app.until(|app| app.connections() == 0).await;
}

async fn plain(address: SocketAddr) -> Client {
    Box::new(TcpStream::connect(address).await.unwrap())
}

#[tokio::test]
async fn every_phase_ends() {
    let app = app(|serve| serve).await;
    all_end(&app, plain, &PHASES).await;
    all_end(&app, plain, &ENDLESS).await;
    assert_eq!(app.manager.stats().counters.connected, 0);
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn answered_pings_keep_no_idle_connection() {
    let app = app(|serve| serve).await;
    let socket = TcpStream::connect(app.address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let request = http::Request::get("http://localhost/ping")
            .body(())
            .unwrap();
        let (answer, _) = requests.send_request(request, true).unwrap();
        assert_eq!(
            timeout(TIMEOUT, answer).await.unwrap().unwrap().status(),
            200
        );
        sleep(KEEP_ALIVE / 4).await;
    }
    // A second handle would keep the client's side open as well.
    let closed = timeout(TIMEOUT, connection).await.unwrap().unwrap();
    closed.unwrap();
    app.until(|app| app.connections() == 0).await;
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn unread_response_over_http_2_is_reset_alone() {
    let app = app(|serve| serve).await;
    let socket = TcpStream::connect(app.address).await.unwrap();
    // The window of the connection has room for other streams, even if one stream is not read.
    let mut client = h2::client::Builder::new();
    client.initial_connection_window_size(1 << 20);
    let (mut requests, connection) = client.handshake::<_, bytes::Bytes>(socket).await.unwrap();
    tokio::spawn(connection);
    let mut send = |path: &str| {
        let request = http::Request::get(format!("http://localhost{path}"))
            .body(())
            .unwrap();
        requests.send_request(request, true).unwrap().0
    };
    let mut stream = timeout(TIMEOUT, send("/events"))
        .await
        .unwrap()
        .unwrap()
        .into_body();
    // The client does not release any of the stream's window.
    let mut large = timeout(TIMEOUT, send("/large"))
        .await
        .unwrap()
        .unwrap()
        .into_body();
    let reset = async { while let Some(Ok(_)) = large.data().await {} };
    timeout(TIMEOUT, reset)
        .await
        .expect("the response is reset");
    app.manager
        .all()
        .publish(sse_core::Event::text("still here"))
        .await
        .unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"still here\n\n") {
        let bytes = timeout(TIMEOUT, stream.data())
            .await
            .unwrap()
            .expect("the stream lives")
            .unwrap();
        text.extend_from_slice(&bytes);
    }
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn ended_stream_over_http_2_is_reset_alone() {
    for is_kicked in [true, false] {
        let app = app(|serve| serve).await;
        let socket = TcpStream::connect(app.address).await.unwrap();
        let mut client = h2::client::Builder::new();
        client.initial_connection_window_size(1 << 20);
        let (mut requests, connection) = client.handshake::<_, bytes::Bytes>(socket).await.unwrap();
        tokio::spawn(connection);
        let mut send = |path: &str| {
            let request = http::Request::get(format!("http://localhost{path}"))
                .body(())
                .unwrap();
            requests.send_request(request, true).unwrap().0
        };
        let mut stream = timeout(TIMEOUT, send("/events"))
            .await
            .unwrap()
            .unwrap()
            .into_body();
        for _ in 0..32 {
            app.manager
                .all()
                .publish(sse_core::Event::text("x".repeat(32 << 10)))
                .await
                .unwrap();
        }
        if is_kicked {
            app.manager
                .disconnect(sse_core::Target::All, sse_core::DisconnectOptions::new())
                .await;
        }
        let reset = async {
            loop {
                if let Err(error) = stream.data().await.expect("no end without an error") {
                    return error.is_reset();
                }
            }
        };
        assert!(
            timeout(TIMEOUT, reset).await.expect("the stream is reset"),
            "kicked: {is_kicked}"
        );
        assert_eq!(
            timeout(TIMEOUT, send("/ping"))
                .await
                .unwrap()
                .unwrap()
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn idle_connection_lives_for_the_keep_alive_timeout() {
    let app = app(|serve| serve.keep_alive_timeout(Duration::from_secs(3600))).await;
    let mut kept = crate::connection::Connection::open(app.address).await;
    for _ in 0..3 {
        kept.get("/ping").await;
        assert!(kept.head().await.starts_with("HTTP/1.1 200 "));
        kept.exactly(4).await;
        sleep(HEADER_TIMEOUT * 5 / 4).await;
    }
}

#[tokio::test]
async fn slow_service_is_not_the_clients_fault() {
    let app = app(|serve| serve.keep_alive_timeout(Duration::from_millis(100))).await;
    let mut waiting = crate::connection::Connection::open(app.address).await;
    waiting.get("/slow").await;
    app.request_arrived().await;
    sleep(HEADER_TIMEOUT * 5 / 4).await;
    app.site.gate.add_permits(1);
    assert!(waiting.head().await.starts_with("HTTP/1.1 200 "));
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use super::*;
    use crate::tls::Identity;

    /// The first message of a client.
    fn hello(identity: &Identity) -> Vec<u8> {
        let mut bytes = Vec::new();
        identity
            .client(&["h2", "http/1.1"])
            .write_tls(&mut bytes)
            .unwrap();
        bytes
    }

    #[tokio::test]
    async fn every_phase_of_the_handshake_ends() {
        let identity = Identity::new();
        let config = Arc::new(identity.server());
        let app = app(|serve| serve.tls(config)).await;
        let hello = hello(&identity);
        let mut clients = JoinSet::new();
        for (name, bytes) in [
            ("no byte", &[][..]),
            ("the head of a record", &hello[..5]),
            ("half a hello", &hello[..hello.len() / 2]),
            ("a hello and no more", &hello[..]),
        ] {
            let mut client = TcpStream::connect(app.address).await.unwrap();
            client.write_all(bytes).await.unwrap();
            clients.spawn(expect_end(name, Box::new(client)));
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        app.until(|app| app.connections() == 0).await;
    }

    #[tokio::test]
    async fn every_phase_ends_with_any_protocol() {
        let identity = Identity::new();
        let config = Arc::new(identity.server());
        let app = app(|serve| serve.tls(config)).await;
        for protocols in [&["h2"][..], &["http/1.1"], &[]] {
            let connect =
                async |address| Box::new(identity.connect(address, protocols).await) as Client;
            all_end(&app, connect, &PHASES).await;
        }
    }

    #[tokio::test]
    async fn idle_connection_is_closed_with_an_alert() {
        let identity = Identity::new();
        let config = Arc::new(identity.server());
        let app = app(|serve| serve.tls(config)).await;
        let mut kept =
            crate::connection::Connection::over(identity.connect(app.address, &[]).await);
        kept.get("/ping").await;
        kept.head().await;
        kept.exactly(4).await;
        // An end without `close_notify` would be an error here.
        assert_eq!(kept.rest().await, b"");
    }

    #[tokio::test]
    async fn client_that_leaves_without_an_alert_leaves_nothing() {
        let identity = Identity::new();
        let config = Arc::new(identity.server());
        let app = app(|serve| {
            serve
                .tls(config)
                .keep_alive_timeout(Duration::from_secs(3600))
        })
        .await;
        for request in [
            "",
            "GET /ping HTTP/1.1\r\n",
            GET,
            "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ] {
            let mut client = identity.connect(app.address, &["http/1.1"]).await;
            client.write_all(request.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(100)).await;
            let (socket, _) = client.into_inner();
            drop(socket);
        }
        app.until(|app| app.connections() == 0).await;
    }
}
