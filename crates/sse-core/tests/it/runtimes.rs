//! Runtimes that start and end.

use std::{pin::Pin, task::Poll, time::Duration};

use futures_util::{StreamExt, future::poll_fn};
use sse_core::{Event, Handshake, Manager, Session, Target};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::sleep,
};

use crate::support::Client;

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

async fn next_name(session: &mut Session) -> String {
    let buffer = session.next().await.unwrap();
    sse_testkit::Decoder::decode(&buffer)[0].event_type.clone()
}

#[test]
fn timers_outlive_their_runtime() {
    let (first, second) = (paused(), paused());
    let manager = Manager::builder().build().unwrap();
    let early = first.block_on(async { manager.connect(Handshake::new()).unwrap() });
    let mut late = second.block_on(async { manager.connect(Handshake::new()).unwrap() });
    drop(first);
    second.block_on(async {
        assert_eq!(next_name(&mut late).await, "connection");
        for _ in 0..3 {
            assert_eq!(next_name(&mut late).await, "heartbeat");
        }
    });
    drop(second);
    // A third runtime, used only after the runtime of the timer has ended.
    let third = paused();
    third.block_on(async {
        let mut newest = manager.connect(Handshake::new()).unwrap();
        assert_eq!(next_name(&mut newest).await, "connection");
        assert_eq!(next_name(&mut newest).await, "heartbeat");
    });
    drop((early, late));
}

#[test]
fn streams_connect_before_any_runtime() {
    let manager = Manager::builder().build().unwrap();
    let mut session = manager.connect(Handshake::new()).unwrap();
    paused().block_on(async {
        assert_eq!(next_name(&mut session).await, "connection");
        assert_eq!(next_name(&mut session).await, "heartbeat");
    });
}

#[tokio::test(start_paused = true)]
async fn manager_without_streams_runs_no_task() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let manager = Manager::builder().build().unwrap();
    assert_eq!(alive(), 0);
    for _ in 0..3 {
        let client = Client::greeted(&manager, Handshake::new());
        let other = Client::greeted(&manager, Handshake::new());
        assert_eq!(alive(), 1, "one timer for all streams");
        sleep(Duration::from_secs(30)).await;
        drop(client);
        sleep(Duration::from_secs(30)).await;
        assert_eq!(alive(), 1);
        drop(other);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(alive(), 0);
    }
    let session = manager.connect(Handshake::new()).unwrap();
    drop(manager);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(alive(), 1, "a stream keeps its manager");
    drop(session);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(alive(), 0);
}

/// Begins a publish and never continues it.
async fn begin(manager: Manager) {
    let mut publishing = Box::pin(manager.publish(Target::All, Event::text("x")));
    poll_fn(|cx| {
        assert!(
            Pin::new(&mut publishing).poll(cx).is_pending(),
            "more streams than fit into one turn"
        );
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn publish_in_flight_finishes_after_its_runtime_ends() {
    let runtimes: [fn() -> Runtime; 2] = [
        || Builder::new_current_thread().build().unwrap(),
        || {
            Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .unwrap()
        },
    ];
    for runtime in runtimes {
        let manager = Manager::builder().max_connections(50_000).build().unwrap();
        let mut clients: Vec<_> = (0..20_000)
            .map(|_| Client::greeted(&manager, Handshake::new()))
            .collect();
        let runtime = runtime();
        runtime.block_on(async {
            let begun = tokio::spawn(begin(manager.clone()));
            while manager.stats().counters.published == 0 {
                tokio::task::yield_now().await;
            }
            drop(begun);
        });
        // Joined here, so that a drop that never ends is noticed.
        drop(runtime);
        assert!(clients.iter_mut().all(|client| client.data() == ["x"]));
    }
}

/// An Actix worker whose handler blocks is such a runtime.
#[test]
fn busy_runtime_delays_no_heartbeats_of_others() {
    let interval = Duration::from_millis(200);
    let manager = Manager::builder()
        .heartbeat_interval(interval)
        .build()
        .unwrap();
    let real = || Builder::new_current_thread().enable_time().build().unwrap();
    let (mut busy, mut idle) = (None, None);
    // The first runtime has the first timer.
    let (first, second) = (real(), real());
    first.block_on(async { busy = Some(manager.connect(Handshake::new()).unwrap()) });
    second.block_on(async { idle = Some(manager.connect(Handshake::new()).unwrap()) });
    let mut idle = idle.unwrap();
    // No thread drives the first runtime from here on.
    second.block_on(async {
        assert_eq!(next_name(&mut idle).await, "connection");
        for _ in 0..3 {
            assert_eq!(next_name(&mut idle).await, "heartbeat");
        }
    });
    assert!(manager.stats().counters.heartbeats >= 3);
    drop(busy);
}

#[test]
fn several_runtimes_send_no_extra_heartbeats() {
    let runtime = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap()
    };
    let runtimes: Vec<_> = (0..4).map(|_| runtime()).collect();
    let manager = Manager::builder()
        .heartbeat_interval(Duration::from_millis(100))
        .build()
        .unwrap();
    let streams: Vec<_> = runtimes
        .iter()
        .map(|runtime| {
            let manager = manager.clone();
            runtime.spawn(async move {
                let start = tokio::time::Instant::now();
                let mut session = manager.connect(Handshake::new()).unwrap();
                next_name(&mut session).await;
                for _ in 0..10 {
                    assert_eq!(next_name(&mut session).await, "heartbeat");
                }
                start.elapsed()
            })
        })
        .collect();
    for stream in streams {
        let elapsed = runtimes[0].block_on(stream).unwrap();
        assert!(elapsed >= Duration::from_millis(950), "{elapsed:?}");
    }
}
