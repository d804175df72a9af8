//! Connections of strangers, which must not keep out others.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sse_testkit::RawClient;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    config::limited,
    hub::{Hub, TIMEOUT, next, until},
};

/// Limit of open files for a hub with room for its thousand streams and few other connections.
const FILES: u64 = 1400;

const STRANGERS: u32 = 5000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame (RFC 9113, section 6.5).
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// Everything that a stranger sends.
const SENT: [&[u8]; 6] = [
    b"",
    b"GET /api/sse HTTP/1.1\r\nhost: local",
    b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /api/sse?topics=*&topics=/&user=%00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    PREFACE,
    b"POST /api/trpc/sse.publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
];

async fn stranger(hub: &Hub, address: Ipv4Addr, sent: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let mut socket = timeout(TIMEOUT, socket.connect(hub.address()))
        .await
        .unwrap()
        .unwrap();
    // The hub can already have closed the connection in favour of another.
    let _ = socket.write_all(sent).await;
    socket
}

/// Asserts that a new user connects, publishes, and receives the event together with the earlier
/// users. Asserts that the hub responds to probes.
async fn serves(hub: &Hub, users: &mut [RawClient], text: &str) {
    let mut newcomer = hub.stream("").await;
    let (status, answer) = hub
        .post(
            "publish",
            &json!({ "target": "all", "event": "e", "data": text }).to_string(),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    for user in users.iter_mut().chain([&mut newcomer]) {
        while next(user).await.1 != text {}
    }
    for probe in ["/health/live", "/health/ready"] {
        assert_eq!(hub.request("GET", probe).await.status, 200, "{probe}");
    }
}

#[tokio::test]
async fn idle_strangers_do_not_block_users() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .unwrap();
    for addresses in [1, 250] {
        let directory = tempfile::tempdir().unwrap();
        let log = format!("file:{}", directory.path().display());
        let limit = format!("ulimit -n {FILES}");
        let hub = Hub::spawn(limited(&limit, &["--backplane", &log])).await;
        until(async || hub.request("GET", "/health/ready").await.status == 200).await;
        let mut users = vec![hub.stream("user=alice").await, hub.stream("user=bob").await];
        let mut strangers = Vec::new();
        for number in 0..STRANGERS {
            let address = Ipv4Addr::from_bits(0x7f00_0200 + number % addresses);
            let sent = SENT[number as usize % SENT.len()];
            strangers.push(stranger(&hub, address, sent).await);
            if number % 500 == 499 {
                serves(&hub, &mut users, &format!("after {number}")).await;
            }
        }
        let mut closed = 0;
        let mut buffer = [0; 4096];
        // The hub closes the oldest connections first.
        for stranger in &mut strangers[..1000] {
            let end = async {
                while stranger
                    .read(&mut buffer)
                    .await
                    .is_ok_and(|count| count > 0)
                {}
            };
            closed += u32::from(timeout(TIMEOUT, end).await.is_ok());
        }
        assert_eq!(closed, 1000, "of {addresses} addresses");
        serves(&hub, &mut users, "at the end").await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed_at_their_timeout() {
    let hub = Hub::start(&["--keep-alive-timeout", "2s", "--header-timeout", "1s"]).await;
    for sent in SENT
        .into_iter()
        .chain([&[PREFACE, SETTINGS].concat()[..], &PREFACE[..9]])
    {
        if sent.starts_with(b"POST") {
            // A body has a separate timeout.
            continue;
        }
        let mut socket = stranger(&hub, Ipv4Addr::LOCALHOST, sent).await;
        let begun = Instant::now();
        let mut read = Vec::new();
        timeout(TIMEOUT, socket.read_to_end(&mut read))
            .await
            .expect("the server closes the connection")
            .unwrap();
        assert!(
            begun.elapsed() > Duration::from_millis(500),
            "too soon: {}",
            String::from_utf8_lossy(sent)
        );
    }
    // The default timeout is longer than that of proxies.
    let hub = Hub::start(&[]).await;
    let mut kept = stranger(&hub, Ipv4Addr::LOCALHOST, SENT[2]).await;
    let mut read = Vec::new();
    let early = timeout(Duration::from_secs(2), kept.read_to_end(&mut read)).await;
    assert!(early.is_err(), "{}", String::from_utf8_lossy(&read));
}
