//! The runtime of a manager's background work.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, future::poll_fn};
use sse_core::{
    Event, Handshake, Manager, ManagerBuilder, Retention, Session, Target,
    backplane::{MemoryBackplane, SignalHandler},
    hooks::{Disconnection, Hooks, StreamInfo},
};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::sleep,
};

use crate::support::{Client, data, from};

/// A runtime that runs only while a thread blocks on it, like an Actix worker whose handler blocks.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn frequent() -> ManagerBuilder {
    Manager::builder().heartbeat_interval(Duration::from_millis(100))
}

async fn next_name(session: &mut Session) -> String {
    let buffer = session.next().await.unwrap();
    sse_testkit::Decoder::decode(&buffer)[0].event_type.clone()
}

async fn expect_heartbeats(session: &mut Session) {
    assert_eq!(next_name(session).await, "connection");
    for _ in 0..3 {
        assert_eq!(next_name(session).await, "heartbeat");
    }
}

/// Waits for another thread.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the published numbers, without the manager's own events.
fn numbers(client: &mut Client) -> Vec<String> {
    let events = client.take().into_iter();
    let events = events.filter(|event| event.event_type == "message");
    events.map(|event| event.data).collect()
}

async fn publish(manager: &Manager, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let event = Event::text(number.to_string());
        manager.user("42").publish(event).await.unwrap();
    }
}

#[test]
fn a_manager_needs_no_runtime() {
    let manager = frequent().build().unwrap();
    let mut session = manager.connect(Handshake::new()).unwrap();
    let without_time = Builder::new_current_thread().build().unwrap();
    without_time.block_on(expect_heartbeats(&mut session));
}

#[test]
fn a_runtime_without_a_timer_is_not_used() {
    let without_time = Builder::new_current_thread().build().unwrap();
    without_time.block_on(async {
        let manager = frequent().build().unwrap();
        let mut session = manager.connect(Handshake::new()).unwrap();
        expect_heartbeats(&mut session).await;
    });
}

#[test]
fn heartbeats_outlive_the_runtime_of_the_manager() {
    let first = runtime();
    let manager = first.block_on(async { frequent().build().unwrap() });
    let early = first.block_on(async { manager.connect(Handshake::new()).unwrap() });
    drop(first);
    let mut late = manager.connect(Handshake::new()).unwrap();
    runtime().block_on(expect_heartbeats(&mut late));
    drop(early);
    // The runtime has ended before its first task.
    let second = runtime();
    let manager = frequent().runtime(second.handle().clone()).build().unwrap();
    drop(second);
    let mut session = manager.connect(Handshake::new()).unwrap();
    runtime().block_on(expect_heartbeats(&mut session));
}

#[test]
fn a_blocked_runtime_delays_no_heartbeats_of_others() {
    let manager = frequent().build().unwrap();
    let (blocked, other) = (runtime(), runtime());
    let _stream = blocked.block_on(async { manager.connect(Handshake::new()).unwrap() });
    let mut stream = other.block_on(async { manager.connect(Handshake::new()).unwrap() });
    other.block_on(expect_heartbeats(&mut stream));
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_streams_runs_nothing() {
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

struct PanicsOnce(AtomicBool);

impl Hooks for PanicsOnce {
    fn disconnected(&self, _: &StreamInfo, _: &Disconnection) {
        assert!(self.0.swap(true, Ordering::SeqCst), "the hook of a test");
    }
}

#[test]
fn heartbeats_continue_after_a_panic_in_a_hook() {
    let first = runtime();
    let manager = frequent()
        .connection_timeout(Duration::from_secs(1))
        .hooks(PanicsOnce(AtomicBool::new(false)))
        .runtime(first.handle().clone())
        .build()
        .unwrap();
    let _stalled = manager.connect(Handshake::new()).unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    let mut wait = |what: &str, is_so: &mut dyn FnMut(&Manager) -> bool| {
        wait_until(what, || {
            first.block_on(tokio::task::yield_now());
            client.take();
            is_so(&manager)
        });
    };
    wait("the stalled stream ends", &mut |manager| {
        manager.stats().total_connections == 1
    });
    let before = manager.stats().counters.heartbeats;
    wait("more heartbeats", &mut |manager| {
        manager.stats().counters.heartbeats > before + 1
    });
}

#[tokio::test]
async fn background_work_runs_on_the_given_runtime() {
    let given = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let manager = frequent().runtime(given.handle().clone()).build().unwrap();
    let mut session = manager.connect(Handshake::new()).unwrap();
    assert_eq!(given.metrics().num_alive_tasks(), 1);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    expect_heartbeats(&mut session).await;
    given.shutdown_background();
}

/// Begins a publish and never continues it.
async fn begin(manager: Manager) {
    let mut publishing = Box::pin(manager.publish(Target::All, Event::text("x")));
    poll_fn(|cx| {
        assert!(
            Pin::new(&mut publishing).poll(cx).is_pending(),
            "more streams than fit into one time slice"
        );
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn a_publish_in_flight_outlives_its_runtime() {
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

#[derive(Debug, Default)]
struct Signals {
    received: AtomicUsize,
    missed: AtomicUsize,
}

impl SignalHandler for Signals {
    fn signalled(&self, _: Bytes) {
        self.received.fetch_add(1, Ordering::SeqCst);
    }

    fn missed(&self) {
        self.missed.fetch_add(1, Ordering::SeqCst);
    }
}

fn node(backplane: MemoryBackplane) -> Manager {
    let manager = Manager::builder().backplane(backplane).build().unwrap();
    assert!(runtime().block_on(manager.started()));
    manager
}

#[test]
fn the_log_is_followed_when_the_runtime_has_ended() {
    let memory = MemoryBackplane::new(Retention::default());
    let signals = Arc::new(Signals::default());
    let (received, missed) = (
        || signals.received.load(Ordering::SeqCst),
        || signals.missed.load(Ordering::SeqCst),
    );
    let first = runtime();
    let (manager, mut client) = first.block_on(async {
        let manager = Manager::builder()
            .backplane(memory.clone())
            .build()
            .unwrap();
        manager.on_signal(signals.clone());
        assert!(manager.started().await);
        let client = Client::greeted(&manager, Handshake::new().user("42"));
        (manager, client)
    });
    let other = node(memory);
    // The first runtime exists, and no thread runs it.
    runtime().block_on(publish(&other, 0..3));
    assert_eq!(numbers(&mut client), [""; 0]);
    assert_eq!(missed(), 0);
    drop(first);
    let mut had = Vec::new();
    wait_until("the events arrive", || {
        had.extend(numbers(&mut client));
        had.len() == 3
    });
    assert_eq!(had, ["0", "1", "2"]);
    wait_until("signals may have been missed", || missed() == 1);
    runtime().block_on(async {
        other.signal(b"x").await.unwrap();
        let unlogged = Event::text("unlogged");
        other.client(client.id()).publish(unlogged).await.unwrap();
    });
    wait_until("the signal arrives", || received() == 1);
    let mut had = Vec::new();
    wait_until("the unlogged event arrives", || {
        had.extend(numbers(&mut client));
        !had.is_empty()
    });
    assert_eq!((had, missed()), (vec!["unlogged".to_owned()], 1));
    assert_eq!(manager.log_stats().unwrap().gaps.total(), 0);
}

#[test]
fn a_followed_publish_outlives_its_runtime() {
    let first = runtime();
    let memory = MemoryBackplane::new(Retention::default());
    let manager = Manager::builder()
        .backplane(memory.clone())
        .max_connections(20_000)
        .runtime(first.handle().clone())
        .build()
        .unwrap();
    first.block_on(manager.started());
    let mut clients: Vec<_> = (0..10_000)
        .map(|_| Client::greeted(&manager, Handshake::new()))
        .collect();
    let other = node(memory);
    runtime().block_on(async { other.all().publish(Event::text("x")).await.unwrap() });
    // Far enough for the first runtime to deliver the event to some streams, but not to all.
    while manager.stats().counters.published == 0 {
        first.block_on(tokio::task::yield_now());
    }
    drop(first);
    wait_until("the log is followed again", || {
        manager.stats().counters.published == 1
    });
    for client in &mut clients {
        assert_eq!(numbers(client), ["x"]);
    }
}

#[test]
fn a_publisher_gets_its_receipt_when_the_runtime_ends() {
    let first = runtime();
    let manager = Manager::builder()
        .backplane(MemoryBackplane::new(Retention::default()))
        .max_connections(20_000)
        .runtime(first.handle().clone())
        .build()
        .unwrap();
    first.block_on(manager.started());
    let clients: Vec<_> = (0..10_000)
        .map(|_| Client::greeted(&manager, Handshake::new()))
        .collect();
    let publisher = std::thread::spawn({
        let manager = manager.clone();
        move || runtime().block_on(async { manager.all().publish(Event::text("x")).await })
    });
    while manager.stats().counters.published == 0 {
        first.block_on(tokio::task::yield_now());
    }
    drop(first);
    let receipt = publisher.join().unwrap().unwrap();
    assert_eq!(receipt.matched, clients.len());
}

/// The runtime can end at any point of the follower's work.
#[test]
fn nothing_is_lost_or_doubled_when_the_runtime_ends() {
    for seed in 0..20_usize {
        let memory = MemoryBackplane::new(Retention::default());
        let slow = ScriptedBackplane::new(memory.clone());
        let first = runtime();
        let manager = first.block_on(async {
            let manager = Manager::builder().backplane(slow.clone()).build().unwrap();
            assert!(manager.started().await);
            manager
        });
        let mut client = Client::greeted(&manager, Handshake::new().user("42"));
        let other = node(memory);
        if seed % 3 == 2 {
            slow.delay([Duration::from_millis(2)]);
        }
        runtime().block_on(publish(&other, 0..20));
        for _ in 0..seed * 3 {
            first.block_on(tokio::task::yield_now());
        }
        let mut had = numbers(&mut client);
        drop(first);
        runtime().block_on(publish(&other, 20..36));
        wait_until("all events arrive", || {
            had.extend(numbers(&mut client));
            had.len() >= 36
        });
        let all: Vec<_> = (0..36).map(|number| number.to_string()).collect();
        assert_eq!(had, all, "seed {seed}");
        let head = manager.log_stats().unwrap().head.to_string();
        let again = Client::connect(&manager, from(&head).user("42")).take();
        assert!(data(&again).is_empty());
    }
}
