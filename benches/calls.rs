//! The cost of a management API call through HTTP, against an axum handler that does nothing.
//!
//! One server, on a separate thread, has both as routes of one router. One client sends requests
//! over one kept-alive loopback connection; the requests differ only in their path. No streams are
//! connected, so nothing is fanned out. Columns take turns. The measure is the processor time of
//! the server's thread: system calls, hyper, routing and the call. Each of the two threads has its
//! own processor, if the system allows it. A second measurement without sockets and hyper, with the
//! router alone, isolates the cost of the API itself.

use std::{
    hint::black_box,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    http::{Request, header},
    routing::{get, post},
};
use benches::{
    lines::{Samples, line},
    scale::Scale,
};
use rustix::{
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};
use serde_json::{Value, json};
use sse_core::{Manager, access::AllowAll};
use sse_trpc::Management;
use tower::ServiceExt as _;

/// Body of the calls that publish an event.
const CALL: &str = r#"{"target":{"user":"ada"},"event":"order_shipped","data":{"order":814113,"items":["A-1","B-22"]}}"#;

/// Names and paths; the first two are the baselines of the others.
const COLUMNS: [(&str, &str); 5] = [
    ("axum, no input", "/empty"),
    ("axum, JSON in and out", "/json"),
    ("sse.publish", "/api/trpc/sse.publish"),
    ("sse.sendNotification", "/api/trpc/sse.sendNotification"),
    ("an unknown procedure", "/api/trpc/sse.nothing"),
];

/// Body of the call that sends a notification instead of an event.
const NOTIFICATION: &str = r#"{"userId":"ada","message":"Your export is ready","title":"Reports","data":{"url":"/export/7"}}"#;

fn main() {
    let scale = Scale::from_args();
    if !scale.measures() {
        return;
    }
    stay_on(1);
    let mut client = Client::connect(serve());
    compare(
        "HTTP",
        scale.pick(60, 2),
        scale.pick(400, 5),
        |path, times| client.turn(path, times),
    );
    let runtime = runtime();
    let router = router();
    compare(
        "router alone",
        scale.pick(60, 2),
        scale.pick(2000, 5),
        |path, times| {
            let before = cpu_time();
            for _ in 0..times {
                black_box(runtime.block_on(call(&router, path)));
            }
            cpu_time() - before
        },
    );
}

/// Lets the columns take turns, and prints for each the median and the medians of its ratios to the
/// first two columns in the same round.
fn compare(what: &str, rounds: usize, times: u32, mut turn: impl FnMut(&str, u32) -> Duration) {
    let mut nanos = vec![Samples::default(); COLUMNS.len()];
    let mut ratios = vec![[Samples::default(), Samples::default()]; COLUMNS.len()];
    // Warms up buffers and branch prediction.
    COLUMNS.iter().for_each(|(_, path)| _ = turn(path, times));
    for round in 0..rounds {
        let mut each = [0.0; COLUMNS.len()];
        // Each round starts with another column.
        for index in (0..COLUMNS.len()).map(|index| (index + round) % COLUMNS.len()) {
            each[index] = turn(COLUMNS[index].1, times).as_secs_f64() * 1e9 / f64::from(times);
        }
        for (index, time) in each.into_iter().enumerate() {
            nanos[index].push(time);
            ratios[index]
                .iter_mut()
                .zip(each)
                .for_each(|(samples, base)| samples.push(time / base));
        }
    }
    for (index, (name, _)) in COLUMNS.iter().enumerate() {
        let name = format!("{what}, {name}");
        line(
            &name,
            format_args!("{:.2}", nanos[index].median() / 1e3),
            "µs",
        );
        for (base, ratios) in COLUMNS.iter().zip(&ratios[index]) {
            line(
                &format!("{name} / {}", base.0),
                format_args!("{:.2}", ratios.median()),
                "times",
            );
        }
    }
}

fn router() -> Router {
    let manager = Manager::builder()
        .access(AllowAll)
        .build()
        .expect("the settings are valid");
    let cpu_time = async || cpu_time().as_nanos().to_string();
    Router::new()
        .route("/empty", post(async || Json(json!({}))))
        .route(
            "/json",
            post(async |Json(input): Json<Value>| Json(json!({ "is": input.is_object() }))),
        )
        .route("/cpu-time", get(cpu_time))
        .nest("/api/trpc", sse_axum::trpc(Management::new(manager)))
}

/// Serves until the process ends.
fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .set_nonblocking(true)
        .expect("a listener can be so");
    let address = listener.local_addr().expect("a bound listener");
    let server = thread::Builder::new().name("server".into()).spawn(move || {
        stay_on(0);
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
            axum::serve(listener, router())
                .await
                .expect("a running server");
        });
    });
    server.expect("a thread can be started");
    address
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// Pins this thread to a processor, if the processor exists. A thread that moves would find cold
/// caches, and one column or another would pay for them.
fn stay_on(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    if let Err(error) = sched_setaffinity(None, &set) {
        line("failed to pin a thread to its processor", error, "");
    }
}

/// Returns the time that this thread has run.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("the clock goes forward")
}

fn body(path: &str) -> &'static str {
    if path.ends_with("Notification") {
        NOTIFICATION
    } else {
        CALL
    }
}

async fn call(router: &Router, path: &str) -> usize {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body(path)));
    let answer = router
        .clone()
        .oneshot(request.expect("a valid request"))
        .await
        .expect("a router does not fail");
    to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("the body is whole")
        .len()
}

/// A connection on which one request follows the other.
struct Client {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a listening server");
        socket.set_nodelay(true).expect("a socket can be so");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a socket can be so");
        Self {
            socket,
            answer: vec![0; 16 << 10],
        }
    }

    /// Sends `times` requests, and returns the processor time that they took the server.
    fn turn(&mut self, path: &str, times: u32) -> Duration {
        let body = body(path);
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let before = self.server_time();
        for _ in 0..times {
            black_box(self.ask(&request));
        }
        self.server_time() - before
    }

    fn server_time(&mut self) -> Duration {
        let nanos = self.ask("GET /cpu-time HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Duration::from_nanos(nanos.parse().expect("a number"))
    }

    /// Returns the body of the response, which arrives in one piece for all columns.
    fn ask(&mut self, request: &str) -> &str {
        self.socket
            .write_all(request.as_bytes())
            .expect("a connected server");
        let start = Instant::now();
        let mut length = 0;
        loop {
            length += self
                .socket
                .read(&mut self.answer[length..])
                .expect("the server answers");
            assert!(
                length > 0 && start.elapsed() < Duration::from_secs(10),
                "no answer"
            );
            let text = std::str::from_utf8(&self.answer[..length]).expect("a UTF-8 response");
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let announced = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if announced.and_then(|length| length.parse().ok()) == Some(body.len()) {
                    let at = length - body.len();
                    return std::str::from_utf8(&self.answer[at..length])
                        .expect("a UTF-8 response");
                }
            }
        }
    }
}
