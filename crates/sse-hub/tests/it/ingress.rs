//! Hubs that share a load balancer, like an ingress of Kubernetes.
#![cfg(unix)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sse_testkit::{RawRequest, Signal, request};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::{
    brokers::free_port,
    hub::{Hub, TIMEOUT, bare_command, until},
};

/// Interval between two readiness probes of the balancer.
const PROBE: Duration = Duration::from_millis(300);

/// A load balancer that sends connections in turn to the hubs that were ready at the last probe. If
/// the hub does not accept the connection, the balancer itself responds with 502.
struct Ingress {
    address: SocketAddr,
    failures: Arc<AtomicUsize>,
    ready: Arc<[AtomicBool; 2]>,
    _tasks: JoinSet<()>,
}

impl Ingress {
    async fn start(hubs: [SocketAddr; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (failures, ready) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new([const { AtomicBool::new(false) }; 2]),
        );
        let mut tasks = JoinSet::new();
        for (index, hub) in hubs.into_iter().enumerate() {
            let ready = Arc::clone(&ready);
            tasks.spawn(async move {
                loop {
                    let answer = request(hub, "GET", "/health/ready", &[], "").await;
                    ready[index].store(
                        answer.is_ok_and(|answer| answer.status == 200),
                        Ordering::SeqCst,
                    );
                    sleep(PROBE).await;
                }
            });
        }
        let (failing, known) = (Arc::clone(&failures), Arc::clone(&ready));
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            for turn in 0.. {
                let (mut client, _) = listener.accept().await.unwrap();
                let up = (turn..turn + 2)
                    .map(|at| at % 2)
                    .find(|at| known[*at].load(Ordering::SeqCst));
                let failing = Arc::clone(&failing);
                serving.spawn(async move {
                    let hub = match up {
                        Some(at) => TcpStream::connect(hubs[at]).await.ok(),
                        None => None,
                    };
                    match hub {
                        Some(mut hub) => drop(copy_bidirectional(&mut client, &mut hub).await),
                        None => {
                            failing.fetch_add(1, Ordering::SeqCst);
                            let _ = client
                                .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                                .await;
                        }
                    }
                });
            }
        });
        let ingress = Self {
            address,
            failures,
            ready,
            _tasks: tasks,
        };
        until(async || {
            ingress
                .ready
                .iter()
                .all(|ready| ready.load(Ordering::SeqCst))
        })
        .await;
        ingress
    }
}

async fn hub(address: SocketAddr) -> Hub {
    let mut command = bare_command();
    command.args([
        "--listen",
        &address.to_string(),
        "--drain-delay",
        "3",
        "--retry",
        "100ms",
    ]);
    Hub::spawn(command).await
}

/// Opens streams one after another, like an `EventSource`. Returns the first response that would be
/// final for an `EventSource`.
async fn final_answer(address: SocketAddr, is_over: Arc<AtomicBool>) -> Option<String> {
    while !is_over.load(Ordering::SeqCst) {
        // A broken connection is retried.
        if let Ok(mut stream) = RawRequest::get(address, "/api/sse").open().await
            && let Ok(head) = stream.head().await
            && (head.status, head.headers.get("content-type")) != (200, Some("text/event-stream"))
        {
            return Some(format!("{head:?}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    None
}

#[tokio::test]
async fn rolling_restart_loses_no_event_source() {
    let addresses = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut hubs = [hub(addresses[0]).await, hub(addresses[1]).await];
    let ingress = Ingress::start(addresses).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: JoinSet<_> = (0..10)
        .map(|_| final_answer(ingress.address, Arc::clone(&is_over)))
        .collect();
    for index in [0, 1, 0] {
        hubs[index].0.signal(Signal::Terminate).unwrap();
        assert_eq!(
            hubs[index].0.wait_exit(TIMEOUT).await.unwrap().code(),
            Some(0)
        );
        hubs[index] = hub(addresses[index]).await;
        until(async || ingress.ready[index].load(Ordering::SeqCst)).await;
    }
    is_over.store(true, Ordering::SeqCst);
    let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    assert!(
        answers.is_empty(),
        "clients were lost for ever: {answers:?}"
    );
    assert_eq!(ingress.failures.load(Ordering::SeqCst), 0);
}
