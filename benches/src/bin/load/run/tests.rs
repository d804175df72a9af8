//! Whole runs, small and against servers in this process.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use super::*;
use crate::driver::tracker::Faults;
use crate::servers::serving::Serving;
use crate::servers::stack::Stack;

fn options(address: SocketAddr, target: Layout) -> Options {
    let volume = Volume {
        idle: 0.0,
        streams: 50,
        payload: 64,
        seconds: 0.1,
        interval: Some(5.0),
        burst: 20,
        bursts: 2,
        window: 4,
        nap: 100,
        timeout: 60.0,
    };
    let (url, pid) = (format!("http://{address}"), Some(std::process::id()));
    Options {
        url,
        target,
        publish_url: None,
        headers: Vec::new(),
        pid,
        volume,
    }
}

fn assert_perfect(address: SocketAddr, target: Layout) {
    let report = run(&options(address, target)).unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(
        (report.paced.publishes, report.paced.deliveries),
        (20, 1000)
    );
    assert_eq!(
        (report.burst.publishes, report.burst.deliveries),
        (40, 2000)
    );
    assert!(report.burst.deliveries_per_second > 0.0);
    assert!(report.paced.latency_us.p50 > 0.0);
    assert!(report.memory.is_some());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["missing"], &json["ended"]), (&0.into(), &0.into()));
}

/// Starts a server in this process; it lasts as long as the process.
fn start(stack: Stack) -> SocketAddr {
    let workers = NonZeroUsize::new(1);
    let serving = Serving {
        listen: "127.0.0.1:0".parse().unwrap(),
        workers,
        capacity: 1024,
        reactor: crate::servers::serving::Switch::On,
        reactor_threads: None,
    };
    let listener = serving.listener().unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || stack.serve(listener, &serving).unwrap());
    address
}

#[test]
fn floor_delivers_everything_in_order() {
    assert_perfect(start(Stack::Floor), Layout::Plain);
}

#[test]
fn axum_delivers_everything_in_order() {
    assert_perfect(start(Stack::AxumNative), Layout::Plain);
}

#[test]
fn axum_adapter_delivers_everything_in_order() {
    assert_perfect(start(Stack::SseAxum), Layout::Plain);
}

#[test]
fn hyper_delivers_everything_in_order() {
    assert_perfect(start(Stack::HyperNative), Layout::Plain);
}

#[test]
fn hyper_adapter_delivers_everything_in_order() {
    assert_perfect(start(Stack::SseHyper), Layout::Plain);
}

#[test]
fn actix_delivers_everything_in_order() {
    assert_perfect(start(Stack::ActixNative), Layout::Plain);
}

#[test]
fn actix_adapter_delivers_everything_in_order() {
    assert_perfect(start(Stack::SseActix), Layout::Plain);
}

/// Behaves as the hub does: sends a first block and heartbeats of its own, and `data` that was
/// re-encoded by a JSON parser.
fn hub_like() -> Router {
    let events = broadcast::Sender::<String>::new(1024);
    let publishing = events.clone();
    let stream = async move || {
        let live = BroadcastStream::new(events.subscribe()).map(|data| data.unwrap());
        let live = live
            .map(|data| format!("event: heartbeat\ndata: {{}}\n\nevent: tick\ndata: {data}\n\n"));
        let hello = "retry: 3000\nid: 7-0\nevent: connection\ndata: {\"status\":\"connected\"}\n\n"
            .to_owned();
        Body::from_stream(stream::iter([hello]).chain(live).map(Ok::<_, Infallible>))
    };
    let publish = async move |body: String| {
        let input: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&input["target"], &input["event"]),
            (&"all".into(), &"tick".into())
        );
        publishing
            .send(input["data"].to_string())
            .unwrap()
            .to_string()
    };
    Router::new()
        .route("/api/sse", get(stream))
        .route("/api/trpc/sse.publish", post(publish))
}

#[test]
fn reads_the_wire_of_the_hub() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(async {
        axum::serve(
            tokio::net::TcpListener::from_std(listener).unwrap(),
            hub_like(),
        )
        .await
    });
    assert_perfect(address, Layout::Hub);
    runtime.shutdown_background();
}

#[test]
fn unexpected_status_is_an_error() {
    let address = start(Stack::Floor);
    let mut options = options(address, Layout::Plain);
    options.url = format!("http://{address}/elsewhere");
    let error = format!("{:#}", run(&options).unwrap_err());
    assert!(error.contains("status 404"), "{error}");
}

#[test]
fn unreachable_server_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(run(&options(address, Layout::Plain)).is_err());
}

/// Takes publishes of `size` bytes and passes them on to `floor`, except for one that it drops, one
/// that it repeats, and two that it swaps.
fn meddle(floor: SocketAddr, size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || -> std::io::Result<()> {
        let (mut publisher, _) = listener.accept()?;
        let mut floor = TcpStream::connect(floor)?;
        let (mut request, mut held) = (vec![0; size], Vec::new());
        for number in 0.. {
            publisher.read_exact(&mut request)?;
            match number {
                5 => {}
                7 => floor.write_all(&request.repeat(2))?,
                9 => held.clone_from(&request),
                10 => floor.write_all(&[request.as_slice(), &held].concat())?,
                _ => floor.write_all(&request)?,
            }
            publisher.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
        Ok(())
    });
    address
}

#[test]
fn detects_hole_duplicate_and_swap() {
    let address = start(Stack::Floor);
    let mut options = options(address, Layout::Plain);
    let target = Target::new(Layout::Plain, &options.url, None, &[]).unwrap();
    let request = target.publish_request(&"x".repeat(options.volume.payload));
    options.publish_url = Some(format!("http://{}", meddle(address, request.len())));
    let report = run(&options).unwrap();
    let expected = Faults {
        missing: 50,
        doubled: 50,
        out_of_order: 50,
        ..Faults::default()
    };
    assert_eq!((report.faults, report.ok), (expected, false));
}
