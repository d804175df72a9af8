//! A server that runs out of files. This test runs in its own process, because the limit applies to
//! the process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{convert::Infallible, fs::File, future::ready, net::SocketAddr, time::Duration};

use http::Request;
use hyper::body::Incoming;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sse_core::{Event, Manager};
use sse_hyper::{Fallback, TransportStatsHandle};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Opens files until none are left.
fn take_all() -> Vec<File> {
    let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    taken
}

/// Sends a request with a socket that already exists.
async fn ask(socket: TcpSocket, address: SocketAddr) -> TcpStream {
    let mut client = socket.connect(address).await.unwrap();
    client
        .write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    client
}

async fn read_until(client: &mut TcpStream, needle: &str) {
    let mut text = String::new();
    while !text.contains(needle) {
        let mut buffer = [0; 4096];
        let count = timeout(TIMEOUT, client.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "the end, before {needle}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

#[tokio::test]
async fn without_files_streams_continue_and_clients_wait() {
    let manager = Manager::builder().build().unwrap();
    let transports = TransportStatsHandle::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let streams = manager.clone();
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let session = streams
            .connect(sse_hyper::handshake(&request.into_parts().0))
            .unwrap();
        ready(Ok::<_, Infallible>(sse_hyper::response(session)))
    });
    tokio::spawn(
        sse_hyper::serve(listener, service)
            .transports(&transports)
            .into_future(),
    );
    let mut sockets: Vec<_> = (0..6).map(|_| TcpSocket::new_v4().unwrap()).collect();

    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(256),
            maximum,
        },
    )
    .unwrap();
    let mut taken = take_all();
    // One free file is enough for the connection, but not for the reactor.
    taken.pop();
    let mut first = ask(sockets.pop().unwrap(), address).await;
    read_until(&mut first, "event: connection").await;
    assert_eq!(transports.stats().bodies.get(Fallback::Unavailable), 1);

    drop(taken);
    let mut second = ask(sockets.pop().unwrap(), address).await;
    read_until(&mut second, "event: connection").await;
    assert_eq!(
        transports.stats().reactor.adopted,
        1,
        "the adoption was not retried"
    );

    let taken = take_all();
    let mut third = ask(sockets.pop().unwrap(), address).await;
    let mut byte = [0];
    let early = timeout(Duration::from_millis(300), third.read(&mut byte)).await;
    assert!(
        early.is_err(),
        "a stream opened without a free file: {early:?}"
    );
    manager
        .all()
        .publish(Event::text("nobody is harmed"))
        .await
        .unwrap();
    read_until(&mut first, "nobody is harmed").await;
    read_until(&mut second, "nobody is harmed").await;

    // The server then closes its end, which makes room for two.
    drop(first);
    read_until(&mut third, "event: connection").await;
    assert_eq!(transports.stats().reactor.failed, 0);
    drop(taken);

    // Only a connection without a stream is closed for a newcomer.
    let mut idle = sockets.pop().unwrap().connect(address).await.unwrap();
    idle.write_all(b"GET /events HTT").await.unwrap();
    let mut fourth = ask(sockets.pop().unwrap(), address).await;
    read_until(&mut fourth, "event: connection").await;
    let taken = take_all();
    let mut fifth = ask(sockets.pop().unwrap(), address).await;
    read_until(&mut fifth, "event: connection").await;
    assert_eq!(
        timeout(TIMEOUT, idle.read(&mut byte))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    manager
        .all()
        .publish(Event::text("all are here"))
        .await
        .unwrap();
    for client in [&mut second, &mut third, &mut fourth, &mut fifth] {
        read_until(client, "all are here").await;
    }
    drop(taken);
}
