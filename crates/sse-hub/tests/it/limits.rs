//! Resources that one stranger or one user can take from all others, with default settings.

use std::{fs, time::Duration};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use sse_testkit::{RawClient, RawRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    access::{Header, bearer, with_jwt},
    hub::{Hub, TIMEOUT, next},
    tokens::{BACKEND, token},
};

const MIB: usize = 1 << 20;

/// Maximum growth of the hub's memory for 500 connections with bodies: 32 MiB, 64 KiB for each.
const MOST_GROWTH: usize = 32 * MIB;

impl Hub {
    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0.id().unwrap())
    }

    /// Returns the peak of the process's memory since [`Hub::reset_peak`], in bytes.
    fn peak(&self) -> usize {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .unwrap()
            << 10
    }

    fn reset_peak(&self) -> usize {
        fs::write(self.proc("clear_refs"), "5").unwrap();
        self.peak()
    }
}

fn ada() -> Header<'static> {
    bearer(&token("ada", 3600, &json!({})))
}

/// Sends a body of 1 MiB without its last byte, as far as the hub accepts the body.
async fn stall(hub: &Hub, path: &str, headers: &[Header<'_>]) -> TcpStream {
    let mut socket = TcpStream::connect(hub.address()).await.unwrap();
    let fields: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {MIB}\r\n{fields}\r\n"
    );
    // A hub that has responded reads no more.
    let sent = async {
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(&vec![b' '; MIB - 1]).await
    };
    timeout(Duration::from_millis(500), sent).await.ok();
    socket
}

async fn stall_often(hub: &Hub, path: &str, headers: &[Header<'_>]) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..50 {
        let ten: [_; 10] = std::array::from_fn(|_| stall(hub, path, headers));
        let [a, b, c, d, e, f, g, h, i, j] = ten;
        let ten = tokio::join!(a, b, c, d, e, f, g, h, i, j);
        sockets.extend([
            ten.0, ten.1, ten.2, ten.3, ten.4, ten.5, ten.6, ten.7, ten.8, ten.9,
        ]);
    }
    sockets
}

#[tokio::test]
async fn bodies_over_http_1_cost_bounded_memory() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let guess = || bearer("guess");
    for (path, headers) in [
        ("/api/trpc/sse.publish", vec![]),
        ("/api/trpc/sse.publish", vec![guess()]),
        ("/api/trpc/sse.renew", vec![]),
        ("/api/trpc/sse.sendInfo,sse.renew?batch=1", vec![guess()]),
        ("/api/trpc/sse.disconnect", vec![ada()]),
        ("/api/trpc/sse.publish", vec![ada()]),
        ("/api/sse", vec![ada()]),
        ("/health/live", vec![]),
        ("/metrics", vec![]),
        ("/nothing", vec![]),
    ] {
        let before = hub.reset_peak();
        let sockets = stall_often(&hub, path, &headers).await;
        let growth = hub.peak().saturating_sub(before);
        println!("{path} {}: {} KiB", headers.len(), growth >> 10);
        assert!(growth < MOST_GROWTH, "{path}: {growth} bytes");
        let (status, answer) = hub
            .call(
                "sendInfo",
                &[bearer(BACKEND)],
                json!({ "userId": "x", "message": "m" }),
            )
            .await;
        assert_eq!(status, 200, "{answer}");
        drop(sockets);
    }
}

#[tokio::test]
async fn bodies_over_http_2_cost_bounded_memory() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    for (path, headers) in [
        ("/api/trpc/sse.publish", vec![]),
        ("/api/trpc/sse.renew", vec![]),
        ("/api/trpc/sse.publish", vec![ada()]),
        ("/api/sse", vec![ada()]),
        ("/nothing", vec![]),
    ] {
        let before = hub.reset_peak();
        let mut held = Vec::new();
        for _ in 0..5 {
            let socket = TcpStream::connect(hub.address()).await.unwrap();
            let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
            // The connection stays open until the end of the round.
            tokio::spawn(async move { connection.await.ok() });
            for _ in 0..200 {
                let request = Request::post(format!("http://a{path}"))
                    .header("content-type", "application/json")
                    .header("content-length", MIB);
                let request = headers.iter().fold(request, |request, (name, value)| {
                    request.header(*name, value)
                });
                client = client.ready().await.unwrap();
                let (answer, mut body) = client
                    .send_request(request.body(()).unwrap(), false)
                    .unwrap();
                // As much as the flow-control windows allow, except for the last byte.
                body.send_data(Bytes::from(vec![b' '; MIB - 1]), false).ok();
                held.push((answer, body));
            }
            sleep(Duration::from_millis(200)).await;
        }
        let growth = hub.peak().saturating_sub(before);
        println!("HTTP/2 {path} {}: {} KiB", headers.len(), growth >> 10);
        assert!(growth < MOST_GROWTH, "{path}: {growth} bytes");
        drop(held);
    }
    assert_eq!(
        hub.call(
            "sendInfo",
            &[bearer(BACKEND)],
            json!({ "userId": "x", "message": "m" })
        )
        .await
        .0,
        200
    );
}

#[tokio::test]
async fn a_refusal_comes_before_100_continue() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    for (path, headers, expected) in [
        ("/api/trpc/sse.sendInfo", vec![], "HTTP/1.1 401 "),
        (
            "/api/trpc/sse.sendInfo",
            vec![bearer("guess")],
            "HTTP/1.1 401 ",
        ),
        ("/api/trpc/sse.disconnect", vec![ada()], "HTTP/1.1 403 "),
        ("/api/trpc/sse.nothing", vec![ada()], "HTTP/1.1 404 "),
        ("/api/sse", vec![ada()], "HTTP/1.1 405 "),
        ("/api/trpc/sse.sendInfo", vec![ada()], "HTTP/1.1 100 "),
    ] {
        let mut socket = TcpStream::connect(hub.address()).await.unwrap();
        let fields: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 15\r\nexpect: 100-continue\r\n{fields}\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut start = [0; 13];
        timeout(TIMEOUT, socket.read_exact(&mut start))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(std::str::from_utf8(&start).unwrap(), expected, "{path}");
    }
}

/// Opens streams until one is rejected. Returns the streams and the rejection.
async fn open_all(
    hub: &Hub,
    headers: &[Header<'_>],
    most: usize,
) -> (Vec<(RawClient, Value)>, Option<u16>) {
    let mut streams = Vec::new();
    while streams.len() < most {
        match hub.connect("", headers).await {
            Ok(stream) => streams.push(stream),
            Err(status) => return (streams, Some(status)),
        }
    }
    (streams, None)
}

#[tokio::test]
async fn one_user_leaves_streams_to_others() {
    let hub = Hub::spawn(with_jwt(&["--max-connections", "1000"])).await;
    let (own, refused) = open_all(&hub, &[ada()], 60).await;
    assert_eq!((own.len(), refused), (50, Some(429)));
    let answer = hub.ask("GET", "/api/sse", &[ada()], "").await;
    assert!(answer.status == 429 && answer.headers.get("retry-after").is_some());
    assert!(
        hub.connect("", &[bearer(&token("bob", 600, &json!({})))])
            .await
            .is_ok()
    );

    let hub = Hub::spawn(with_jwt(&["--max-connections", "20"])).await;
    let (own, refused) = open_all(&hub, &[ada()], 20).await;
    assert_eq!((own.len(), refused), (10, Some(429)));
    let hub = Hub::spawn(with_jwt(&[
        "--max-connections",
        "20",
        "--max-connections-per-user",
        "20",
    ]))
    .await;
    assert_eq!(open_all(&hub, &[ada()], 20).await.1, None);
}

#[tokio::test]
async fn anonymous_streams_leave_room_for_users() {
    let anonymous = [
        "--auth-anonymous",
        "--max-connections",
        "20",
        "--trusted-proxies",
        "127.0.0.1",
    ];
    let hub = Hub::spawn(with_jwt(&anonymous)).await;
    let from = |address: &str| [("x-forwarded-for", address.to_owned())];
    let (first, refused) = open_all(&hub, &from("2001:db8::1"), 20).await;
    assert_eq!((first.len(), refused), (10, Some(429)));
    assert_eq!(
        hub.connect("", &from("2001:db8::2")).await.err(),
        Some(429),
        "the same network"
    );
    let users = [ada(), from("2001:db8::1")[0].clone()];
    let (second, refused) = open_all(&hub, &users, 5).await;
    assert_eq!(
        (second.len(), refused),
        (5, None),
        "users do not count as strangers"
    );
    assert_eq!(hub.connect("", &from("192.0.2.7")).await.err(), None);
    // A closed stream makes room.
    drop(first);
    hub.settles(5, &[bearer(BACKEND)]).await;
    assert!(hub.connect("", &from("2001:db8::2")).await.is_ok());
}

impl Hub {
    async fn settles(&self, streams: u64, headers: &[Header<'_>]) {
        crate::hub::until(async || {
            let answer = self.ask("GET", "/api/trpc/sse.getStats", headers, "").await;
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            answer["result"]["data"]["totalConnections"] == streams
        })
        .await;
    }
}

fn large(user: &str) -> Value {
    json!({ "target": { "user": user }, "event": "large", "data": "x".repeat(1_000_000) })
}

#[tokio::test]
async fn user_cannot_evict_events_of_others() {
    let hub = Hub::spawn(with_jwt(&["--backplane", "memory"])).await;
    let bob = bearer(&token("bob", 3600, &json!({})));
    let (mut stream, _) = hub.connect("", std::slice::from_ref(&bob)).await.unwrap();
    let backend = bearer(BACKEND);
    let message = |text: &str| json!({ "userId": "bob", "message": text });
    assert_eq!(
        hub.call("sendInfo", std::slice::from_ref(&backend), message("seen"))
            .await
            .0,
        200
    );
    let seen = stream.next_event_within(TIMEOUT).await.unwrap().id;
    drop(stream);
    assert_eq!(
        hub.call(
            "sendInfo",
            std::slice::from_ref(&backend),
            message("missed")
        )
        .await
        .0,
        200
    );

    let mut published = 0;
    for _ in 0..90 {
        let headers = [("content-type", "application/json".to_owned()), ada()];
        let answer = hub
            .ask(
                "POST",
                "/api/trpc/sse.publish",
                &headers,
                &large("ada").to_string(),
            )
            .await;
        match answer.status {
            200 => published += 1,
            429 => assert!(answer.headers.get("retry-after").is_some()),
            other => panic!("{other}"),
        }
    }
    println!("{published} of 90 publishes of 1 MB");
    assert!((4..20).contains(&published), "{published}");
    // A backend has no limit, and the user's next small event is accepted after a while.
    for _ in 0..6 {
        assert_eq!(
            hub.call("publish", std::slice::from_ref(&backend), large("carol"))
                .await
                .0,
            200
        );
    }
    let request = RawRequest::get(hub.address(), "/api/sse")
        .header("last-event-id", seen)
        .header(bob.0, bob.1);
    let mut stream = request.open().await.unwrap();
    assert_eq!(next(&mut stream).await.1["resumed"], true);
    assert_eq!(next(&mut stream).await.1["message"], "missed");
}

#[tokio::test]
async fn stalled_readers_share_queued_events() {
    for reactor in ["--reactor=yes", "--reactor=no"] {
        let hub = Hub::spawn(with_jwt(&[reactor, "--rate-bytes-per-user", "none"])).await;
        let mut streams = Vec::new();
        for _ in 0..50 {
            let request = RawRequest::get(hub.address(), "/api/sse").receive_buffer(4096);
            let (name, value) = ada();
            streams.push(request.header(name, value).open().await.unwrap());
        }
        let before = hub.reset_peak();
        for _ in 0..20 {
            let (status, answer) = hub.call("publish", &[ada()], large("ada")).await;
            assert_eq!(status, 200, "{answer}");
        }
        let growth = hub.peak().saturating_sub(before);
        println!(
            "50 readers that take nothing, {reactor}: {} KiB",
            growth >> 10
        );
        assert!(growth < 64 * MIB, "{growth}");
    }
}
