//! Shutdown of the hub.
#![cfg(unix)]

use sse_testkit::{Error, RawClient, RawRequest, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::hub::{Hub, TIMEOUT, bare_command, expect_fence, next, until};

/// Reads the `shutdown` event and the clean end of the stream. Returns the reconnect delay in
/// milliseconds.
pub(crate) async fn expect_shutdown(stream: &mut RawClient) -> u64 {
    let (event_type, data) = next(stream).await;
    assert_eq!(
        (event_type.as_str(), data["event"].as_str()),
        ("system", Some("shutdown"))
    );
    stream.expect_end().await.unwrap();
    stream.decoder().retry().unwrap()
}

/// Starts a call with an incomplete body. A drain waits for the response in flight.
pub(crate) async fn unfinished_call(hub: &Hub) -> TcpStream {
    let head = "POST /api/trpc/sse.sendSuccess?user=alice HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    let mut call = TcpStream::connect(hub.address()).await.unwrap();
    call.write_all(head.as_bytes()).await.unwrap();
    // The hub asks for the body, so the call is in flight.
    let mut interim = [0; 25];
    call.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    call
}

#[tokio::test]
async fn a_signal_ends_every_stream_properly() {
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::Quit] {
        let mut hub = Hub::start(&[]).await;
        let mut streams = Vec::new();
        for number in 0..200 {
            streams.push(hub.stream(&format!("user={}", number % 7)).await);
        }
        hub.0.signal(signal).unwrap();
        let mut retries = Vec::new();
        for stream in &mut streams {
            retries.push(expect_shutdown(stream).await);
            stream.expect_close().await.unwrap();
        }
        assert_eq!(
            hub.0.wait_exit(TIMEOUT).await.unwrap().code(),
            Some(0),
            "{}",
            hub.0.output()
        );

        assert!(
            retries.iter().all(|retry| (1000..=10_000).contains(retry)),
            "{retries:?}"
        );
        retries.sort_unstable();
        retries.dedup();
        assert!(
            retries.len() > 100,
            "all clients would reconnect at once: {retries:?}"
        );
    }
}

#[tokio::test]
async fn hub_without_streams_ends_at_once() {
    let mut hub = Hub::start(&["--drain", "86400"]).await;
    hub.0.signal(Signal::Terminate).unwrap();
    assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn draining_hub_responds_to_new_requests() {
    let mut hub = Hub::start(&["--drain", "86400"]).await;
    let mut stream = hub.stream("").await;
    let call = unfinished_call(&hub).await;
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    for _ in 0..20 {
        let ready = hub.request("GET", "/health/ready").await;
        assert_eq!((ready.status, ready.text().unwrap()), (503, "draining\n"));
        assert_eq!(hub.request("GET", "/health/live").await.status, 200);
        let newcomer = hub.request("GET", "/api/sse").await;
        assert_eq!(newcomer.status, 503);
        assert!(newcomer.headers.get("retry-after").is_some());
        // The response to an `EventSource`.
        let mut newcomer = hub.open("").await;
        assert_eq!(newcomer.head().await.unwrap().status, 200);
        newcomer.expect_end().await.unwrap();
        assert!(newcomer.decoder().retry().unwrap() >= 1000);
    }
    // A silent connection does not delay the shutdown.
    let silent = TcpStream::connect(hub.address()).await.unwrap();
    drop(call);
    assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
    drop(silent);
    let late = RawRequest::get(hub.address(), "/api/sse").open().await;
    assert!(matches!(late, Err(Error::Io(_))), "{late:?}");
}

/// Starts a hub with this delay between a signal and the drain.
async fn with_delay(seconds: &str) -> Hub {
    let mut command = bare_command();
    command.args(["--listen", "127.0.0.1:0", "--drain-delay", seconds]);
    Hub::spawn(command).await
}

#[tokio::test]
async fn hub_serves_until_the_drain_delay_ends() {
    for signal in [Signal::Terminate, Signal::Quit] {
        let mut hub = with_delay("4").await;
        let mut old = hub.stream("").await;
        hub.0.signal(signal).unwrap();
        until(async || hub.request("GET", "/health/ready").await.status == 503).await;
        assert_eq!(hub.request("GET", "/health/live").await.status, 200);
        let mut new = hub.stream("").await;
        hub.fence().await;
        expect_fence(&mut old).await;
        expect_fence(&mut new).await;
        expect_shutdown(&mut old).await;
        expect_shutdown(&mut new).await;
        assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn by_default_there_is_a_delay() {
    let mut command = bare_command();
    command.args(["--listen", "127.0.0.1:0"]);
    let mut hub = Hub::spawn(command).await;
    hub.0.signal(Signal::Terminate).unwrap();
    until(async || hub.request("GET", "/health/ready").await.status == 503).await;
    let mut stream = hub.stream("").await;
    expect_shutdown(&mut stream).await;
    assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn ctrl_c_waits_for_no_balancer() {
    let mut hub = with_delay("86400").await;
    hub.0.signal(Signal::Interrupt).unwrap();
    assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_delay() {
    for (second, code) in [
        (Signal::Terminate, 143),
        (Signal::Interrupt, 130),
        (Signal::Quit, 131),
    ] {
        let mut hub = with_delay("86400").await;
        let _stream = hub.stream("").await;
        hub.0.signal(Signal::Terminate).unwrap();
        until(async || hub.request("GET", "/health/ready").await.status == 503).await;
        hub.0.signal(second).unwrap();
        assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(code));
    }
}

#[tokio::test]
async fn remaining_connections_are_reset_at_the_deadline() {
    let mut hub = Hub::start(&["--drain", "1"]).await;
    let _call = unfinished_call(&hub).await;
    let mut stream = hub.stream("").await;
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    assert_eq!(
        hub.0.wait_exit(TIMEOUT).await.unwrap().code(),
        Some(0),
        "{}",
        hub.0.output()
    );
}

#[tokio::test]
async fn second_signal_ends_the_hub_at_once() {
    for (first, second, code) in [
        (Signal::Terminate, Signal::Terminate, 143),
        (Signal::Terminate, Signal::Interrupt, 130),
        (Signal::Interrupt, Signal::Interrupt, 130),
        (Signal::Quit, Signal::Quit, 131),
    ] {
        let mut hub = Hub::start(&["--drain", "86400"]).await;
        let _call = unfinished_call(&hub).await;
        let mut stream = hub.stream("").await;
        hub.0.signal(first).unwrap();
        expect_shutdown(&mut stream).await;
        hub.0.signal(second).unwrap();
        assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(code));
    }
}
