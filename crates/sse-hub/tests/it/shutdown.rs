//! How the hub ends.
#![cfg(unix)]

use sse_testkit::{Error, RawClient, RawRequest, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::hub::{Hub, PATIENCE, next};

/// Reads the `shutdown` event and a clean end; gives when to come back.
async fn expect_shutdown(stream: &mut RawClient) -> u64 {
    let (event_type, data) = next(stream).await;
    assert_eq!((event_type.as_str(), data["event"].as_str()), ("system", Some("shutdown")));
    stream.expect_end().await.unwrap();
    stream.decoder().retry().unwrap()
}

/// A call whose body never comes to its end: an answer under way that a drain waits for.
async fn unfinished_call(hub: &Hub) -> TcpStream {
    let head = "POST /api/trpc/sse.sendSuccess?user=alice HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    let mut call = TcpStream::connect(hub.address()).await.unwrap();
    call.write_all(head.as_bytes()).await.unwrap();
    // The hub asks for the body, so the call is under way.
    let mut interim = [0; 25];
    call.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    call
}

#[tokio::test]
async fn a_signal_ends_every_stream_properly() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
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
        assert_eq!(hub.0.wait_exit(PATIENCE).await.unwrap().code(), Some(0), "{}", hub.0.output());

        assert!(retries.iter().all(|retry| (1000..=10_000).contains(retry)), "{retries:?}");
        retries.sort_unstable();
        retries.dedup();
        assert!(retries.len() > 100, "they would all come back at once: {retries:?}");
    }
}

#[tokio::test]
async fn without_streams_it_ends_at_once() {
    let mut hub = Hub::start(&["--drain", "86400"]).await;
    hub.0.signal(Signal::Terminate).unwrap();
    assert_eq!(hub.0.wait_exit(PATIENCE).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn while_it_drains_it_takes_nobody() {
    let mut hub = Hub::start(&["--drain", "86400"]).await;
    let mut stream = hub.stream("").await;
    let call = unfinished_call(&hub).await;
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    let newcomer = RawRequest::get(hub.address(), "/api/sse").open().await;
    assert!(matches!(newcomer, Err(Error::Io(_) | Error::Ended(_))), "{newcomer:?}");
    drop(call);
    assert_eq!(hub.0.wait_exit(PATIENCE).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn at_the_deadline_what_is_left_is_broken_off() {
    let mut hub = Hub::start(&["--drain", "1"]).await;
    let _call = unfinished_call(&hub).await;
    let mut stream = hub.stream("").await;
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    assert_eq!(hub.0.wait_exit(PATIENCE).await.unwrap().code(), Some(0), "{}", hub.0.output());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for (first, second, code) in [
        (Signal::Terminate, Signal::Terminate, 143),
        (Signal::Terminate, Signal::Interrupt, 130),
        (Signal::Interrupt, Signal::Interrupt, 130),
    ] {
        let mut hub = Hub::start(&["--drain", "86400"]).await;
        let _call = unfinished_call(&hub).await;
        let mut stream = hub.stream("").await;
        hub.0.signal(first).unwrap();
        expect_shutdown(&mut stream).await;
        hub.0.signal(second).unwrap();
        assert_eq!(hub.0.wait_exit(PATIENCE).await.unwrap().code(), Some(code));
    }
}
