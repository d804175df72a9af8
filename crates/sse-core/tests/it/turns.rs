//! The runtime that follows a backplane's log, when runtimes exist but do not run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sse_core::{Event, Handshake, Manager, MemoryBackplane, Retention, SignalHandler};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use crate::{
    nodes::{SOON, node},
    support::{Client, data, from},
};

/// Creates a runtime that runs only while a thread blocks on it, like an Actix worker whose handler
/// blocks.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

async fn rest(time: Duration) {
    sleep(time).await;
}

/// Long enough for a stalled runtime to be noticed.
const LONG: Duration = Duration::from_secs(12);

#[derive(Debug, Default)]
struct Heard {
    signals: AtomicUsize,
    missed: AtomicUsize,
}

impl SignalHandler for Heard {
    fn signalled(&self, _: Bytes) {
        self.signals.fetch_add(1, Ordering::SeqCst);
    }

    fn missed(&self) {
        self.missed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Heard {
    fn get(&self) -> (usize, usize) {
        (
            self.signals.load(Ordering::SeqCst),
            self.missed.load(Ordering::SeqCst),
        )
    }
}

/// Returns the published numbers, without the manager's own events.
fn numbers(client: &mut Client) -> Vec<String> {
    let events = client
        .take()
        .into_iter()
        .filter(|event| event.event_type == "message");
    events.map(|event| event.data).collect()
}

async fn publish(manager: &Manager, numbers: std::ops::Range<usize>) {
    for number in numbers {
        manager
            .user("42")
            .publish(Event::text(number.to_string()))
            .await
            .unwrap();
    }
}

#[test]
fn stalled_runtime_does_not_delay_the_log() {
    let (first, second) = (runtime(), runtime());
    let memory = MemoryBackplane::new(Retention::default());
    let heard = Arc::new(Heard::default());
    let mut other = None;
    let manager = first.block_on(async {
        let manager = node(memory.clone()).await;
        manager.on_signal(heard.clone());
        sleep(SOON).await;
        manager
    });
    let mut client = second.block_on(async {
        let mut client = Client::greeted(&manager, Handshake::new().user("42"));
        let other = other.insert(node(memory.clone()).await);
        publish(other, 0..3).await;
        sleep(LONG).await;
        assert_eq!(numbers(&mut client), ["0", "1", "2"]);
        assert_eq!(
            heard.get(),
            (0, 1),
            "the next listener reports missed signals"
        );
        other.signal(b"x").await.unwrap();
        other
            .client(client.id())
            .publish(Event::text("unlogged"))
            .await
            .unwrap();
        sleep(SOON).await;
        assert_eq!(numbers(&mut client), ["unlogged"]);
        assert_eq!(heard.get(), (1, 1));
        client
    });
    // The first runtime wakes, with all its pending work, and does nothing.
    first.block_on(rest(LONG));
    assert_eq!(numbers(&mut client), [""; 0]);
    assert_eq!(heard.get(), (1, 1));
    second.block_on(async {
        let other = other.as_ref().unwrap();
        publish(other, 3..5).await;
        sleep(SOON).await;
        assert_eq!(numbers(&mut client), ["3", "4"]);
    });
    assert_eq!(manager.log().unwrap().gaps.total(), 0);
}

#[test]
fn new_leader_finishes_a_partial_publish() {
    let (first, second) = (runtime(), runtime());
    let memory = MemoryBackplane::new(Retention::default());
    let manager = Manager::builder()
        .backplane(memory.clone())
        .max_connections(20_000)
        .build()
        .unwrap();
    first.block_on(async {
        manager.follow();
        sleep(LONG).await;
    });
    let mut clients: Vec<_> = second.block_on(async {
        (0..10_000)
            .map(|_| Client::greeted(&manager, Handshake::new()))
            .collect()
    });
    let other = second.block_on(node(memory));
    // Far enough for the first runtime to deliver the event to some streams, but not to all.
    second.block_on(async { other.all().publish(Event::text("x")).await.unwrap() });
    let placed = || manager.stats().counters.published;
    while placed() == 0 {
        first.block_on(tokio::task::yield_now());
    }
    second.block_on(rest(LONG));
    for client in &mut clients {
        assert_eq!(numbers(client), ["x"]);
    }
    first.block_on(rest(LONG));
    assert!(clients.iter_mut().all(|client| numbers(client).is_empty()));
}

/// Another runtime can take over at any point of a leadership.
#[test]
fn leader_changes_neither_repeat_nor_lose_events() {
    for seed in 0..20_u64 {
        let runtimes = [runtime(), runtime(), runtime()];
        let memory = MemoryBackplane::new(Retention::default());
        let way = ScriptedBackplane::new(memory.clone());
        let manager = runtimes[0].block_on(node(way.clone()));
        let other = runtimes[2].block_on(node(memory));
        let mut client =
            runtimes[0].block_on(async { Client::greeted(&manager, Handshake::new().user("42")) });
        // A client on each runtime, so that both have a timer.
        let _there = runtimes[1].block_on(async { Client::greeted(&manager, Handshake::new()) });
        let mut had = Vec::new();
        for round in 0..12 {
            let number = 3 * usize::try_from(round).unwrap();
            runtimes[2].block_on(publish(&other, number..number + 3));
            let times = [1, 40, 900, 5000, 20_000];
            let time =
                times[usize::try_from(seed.wrapping_mul(31).wrapping_add(round * 7) % 5).unwrap()];
            if (seed + round) % 4 == 3 {
                way.delay([Duration::from_millis(time)]);
            }
            runtimes[usize::try_from((seed / 3 + round) % 2).unwrap()]
                .block_on(rest(Duration::from_millis(time)));
            had.extend(numbers(&mut client));
        }
        runtimes
            .iter()
            .take(2)
            .for_each(|runtime| runtime.block_on(rest(LONG * 2)));
        had.extend(numbers(&mut client));
        let all: Vec<_> = (0..36).map(|number| number.to_string()).collect();
        assert_eq!(had, all, "seed {seed}");
        let head = manager.log().unwrap().head.to_string();
        let again = Client::connect(&manager, from(&head).user("42")).take();
        assert!(data(&again).is_empty());
    }
}
