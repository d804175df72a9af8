//! All operations at once, on several threads.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::StreamExt;
use sse_core::{Event, Handshake, Manager, ShutdownOptions, Target, Topic, UserId};
use sse_testkit::Decoder;
use tokio::runtime::Builder;

const PUBLISHERS: u32 = 3;
const EVENTS: u32 = 400;
const TOPICS: u32 = 3;
const STREAMS: usize = 600;

/// The publisher of an event, and the number of the event.
type Name = (u32, u32);

/// The events that a stream received, in order.
type Got = Vec<Name>;

fn topic(number: u32) -> Topic {
    Topic::new(format!("topic {}", number % TOPICS)).unwrap()
}

fn user(number: u32) -> UserId {
    UserId::new(format!("user {}", number % 5)).unwrap()
}

fn target(name: Name) -> Target {
    match name.1 % 4 {
        0 => Target::All,
        1 => topic(name.1 / 4).into(),
        2 => user(name.1 / 4).into(),
        _ => topic(0).into(),
    }
}

fn publish(manager: &Manager, publisher: u32, begun: &Barrier) {
    let runtime = Builder::new_current_thread().build().unwrap();
    begun.wait();
    for number in 0..EVENTS {
        let text = format!("{publisher} {number}");
        runtime
            .block_on(manager.publish(target((publisher, number)), Event::text(text)))
            .unwrap();
    }
}

async fn listen(mut session: sse_core::Session, most: usize) -> Got {
    let (mut decoder, mut got) = (Decoder::new(), Vec::new());
    while got.len() < most {
        let Some(buffer) = session.next().await else {
            break;
        };
        let events = decoder
            .feed(&buffer)
            .into_iter()
            .filter(|event| event.event_type == "message");
        got.extend(events.map(|event| {
            let (publisher, number) = event.data.split_once(' ').unwrap();
            (publisher.parse().unwrap(), number.parse().unwrap())
        }));
    }
    got
}

/// Streams that connect, join, leave and end while other tasks publish. Publishing starts once the
/// first stream is connected.
fn come_and_go(
    manager: &Manager,
    thread: u32,
    begun: &Barrier,
    done: &AtomicBool,
    all: &Mutex<Vec<Got>>,
) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut round = thread;
    while !done.load(Ordering::Relaxed) {
        round += 2;
        let session = manager
            .connect(Handshake::new().user(user(round)).topic(topic(round)))
            .unwrap();
        let client = session.client_id();
        let listening = runtime.spawn(listen(session, 5 + round as usize % 40));
        if round == thread + 2 {
            begun.wait();
        }
        for step in 0..6 {
            manager.join(client, &topic(round + step)).ok();
            runtime.block_on(tokio::task::yield_now());
            manager.leave(client, &topic(round + step / 2)).ok();
        }
        // Some clients read until they have enough, others are cut off. A client that is cut off
        // loses its events.
        if round.is_multiple_of(3) {
            listening.abort();
        }
        if let Ok(got) = runtime.block_on(async {
            tokio::select! {
                got = listening => got,
                () = async { while !done.load(Ordering::Relaxed) { tokio::task::yield_now().await } } => Ok(Vec::new()),
            }
        }) {
            all.lock().unwrap().push(got);
        }
    }
}

#[test]
fn every_stream_sees_one_total_order() {
    let manager = Manager::builder()
        .max_connections(10_000)
        .queue(100_000, 1 << 28)
        .build()
        .unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    // Streams that stay connected, more than a publish reaches at once.
    let streams: Vec<_> = (0..STREAMS)
        .map(|number| {
            let number = u32::try_from(number).unwrap();
            let handshake = Handshake::new()
                .user(user(number))
                .topic(topic(number))
                .topic(topic(number + 1));
            let session = manager.connect(handshake).unwrap();
            (number, runtime.spawn(listen(session, usize::MAX)))
        })
        .collect();
    let (done, passers) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let begun = Barrier::new(PUBLISHERS as usize + 2);
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (manager, begun) = (&manager, &begun);
                scope.spawn(move || publish(manager, publisher, begun))
            })
            .collect();
        for thread in 0..2 {
            let (manager, begun, done, passers) = (&manager, &begun, &done, &passers);
            scope.spawn(move || come_and_go(manager, thread, begun, done, passers));
        }
        publishers
            .into_iter()
            .for_each(|publisher| publisher.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let staying = runtime.block_on(async {
        manager.shutdown(ShutdownOptions::default()).await;
        let mut staying = Vec::new();
        for (number, stream) in streams {
            staying.push((number, stream.await.unwrap()));
        }
        staying
    });
    for (number, got) in &staying {
        let is_in = |name: &Name| match target(*name) {
            Target::All => true,
            Target::User(of) => of == user(*number),
            Target::Topic(of) => of == topic(*number) || of == topic(number + 1),
            Target::Client(_) => false,
        };
        let expected: BTreeSet<_> = names().filter(is_in).collect();
        assert_eq!(got.len(), expected.len(), "no event is repeated or lost");
        assert_eq!(got.iter().copied().collect::<BTreeSet<_>>(), expected);
    }
    let passers = passers.lock().unwrap();
    assert!(!passers.is_empty());
    let all: Vec<&Got> = staying
        .iter()
        .map(|(_, got)| got)
        .chain(passers.iter())
        .collect();
    all.iter().for_each(|got| each_publisher_in_its_order(got));
    assert!(
        have_one_order(&all),
        "two streams saw the same events in different orders"
    );
    drop(runtime);
    assert_eq!(manager.stats().total_connections, 0);
}

fn names() -> impl Iterator<Item = Name> {
    (0..PUBLISHERS).flat_map(|publisher| (0..EVENTS).map(move |number| (publisher, number)))
}

fn each_publisher_in_its_order(got: &Got) {
    let mut last = BTreeMap::new();
    for (publisher, number) in got {
        let before = last.insert(*publisher, *number);
        assert!(
            before < Some(*number),
            "{number} after {before:?} of {publisher}"
        );
    }
}

/// Returns `true` if one order of all events exists that agrees with every list.
fn have_one_order(all: &[&Got]) -> bool {
    let mut successors: HashMap<Name, BTreeSet<Name>> =
        names().map(|name| (name, BTreeSet::new())).collect();
    for pair in all.iter().flat_map(|got| got.windows(2)) {
        successors.get_mut(&pair[0]).unwrap().insert(pair[1]);
    }
    let mut before: HashMap<Name, usize> = names().map(|name| (name, 0)).collect();
    successors
        .values()
        .flatten()
        .for_each(|name| *before.get_mut(name).unwrap() += 1);
    let mut next: Vec<_> = before
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    let mut ordered = 0;
    while let Some(name) = next.pop() {
        ordered += 1;
        for later in &successors[&name] {
            let count = before.get_mut(later).unwrap();
            *count -= 1;
            if *count == 0 {
                next.push(*later);
            }
        }
    }
    ordered == before.len()
}

#[test]
fn order_check_finds_a_contradiction() {
    let (one, other) = (vec![(0, 1), (0, 2), (1, 1)], vec![(1, 1), (0, 1)]);
    assert!(!have_one_order(&[&one, &other]));
    assert!(have_one_order(&[&one, &one[..2].to_vec()]));
}
