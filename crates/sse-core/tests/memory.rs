//! Streams that have ended leave no memory allocated. A separate binary, since the allocator counts
//! for the whole process.
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests unwrap as tests do"
)]

use std::{
    alloc::System,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt, Stream};
use sse_core::{
    Event, Handshake, Manager, ManagerBuilder, Retention, Session, Topic, config::LimitPolicy,
    connections::ConnectionQuery,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns the number of bytes that are allocated now.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn take(session: &mut Session) {
    while let Poll::Ready(Some(_)) =
        Pin::new(&mut *session).poll_next(&mut Context::from_waker(Waker::noop()))
    {}
}

fn handshake(number: u32) -> Handshake {
    Handshake::new()
        .user(format!("user {number}"))
        .topic(format!("topic {}", number / 2))
        .topic(format!("topic {}", number % 1000))
        .topic("everybody's")
        .address(IpAddr::V4(Ipv4Addr::from(number / 3)))
}

fn manager(when_full: LimitPolicy) -> Manager {
    let builder = Manager::builder()
        .max_connections(200_000)
        .when_full(when_full);
    builder
        .max_connections_per_address(1000, LimitPolicy::Refuse)
        .build()
        .unwrap()
}

fn is_as_new(manager: &Manager) {
    let stats = manager.stats();
    assert_eq!(
        (stats.total_connections, stats.unique_users, stats.ending),
        (0, 0, 0)
    );
    assert!(
        manager
            .connections(&ConnectionQuery::first(10))
            .items
            .is_empty()
    );
    assert!(
        manager
            .connections_by_user(10)
            .now_or_never()
            .is_none_or(|users| users.is_empty())
    );
    let to_topic = manager
        .topic("everybody's")
        .publish(Event::text("x"))
        .now_or_never();
    assert_eq!(to_topic.unwrap().unwrap().matched, 0);
}

/// One stream after the other, then all at once, then one after the other next to many connected
/// streams. A single test, since they share the allocator.
#[test]
fn a_hundred_thousand_streams_leave_no_memory() {
    for policy in [LimitPolicy::Refuse, LimitPolicy::ReplaceOldest] {
        let manager = manager(policy);
        // Memory that stays once it was needed: the first chunk of a table, the random numbers of
        // the thread.
        drop(manager.connect(handshake(0)).unwrap());
        let before = held();
        for number in 0..100_000 {
            let session = manager.connect(handshake(number)).unwrap();
            manager
                .leave(session.client_id(), &Topic::new("everybody's").unwrap())
                .unwrap();
        }
        is_as_new(&manager);
        let after = held();
        assert!(
            after <= before + (64 << 10),
            "{before} bytes before, {after} after cycles"
        );
        assert_eq!(
            manager.stats().counters.disconnected.get("client_left"),
            100_001
        );
    }

    let manager = manager(LimitPolicy::Refuse);
    drop(manager.connect(handshake(0)).unwrap());
    let before = held();
    let mut sessions: Vec<_> = (0..50_000)
        .map(|number| manager.connect(handshake(number)).unwrap())
        .collect();
    let with_all = held();
    sessions.iter_mut().for_each(take);
    for _ in 0..20 {
        for number in (0..50_000).step_by(1000) {
            let topic = format!("topic {number}");
            manager
                .topic(topic)
                .publish(Event::text("x".repeat(100)))
                .now_or_never()
                .unwrap()
                .unwrap();
        }
    }
    sessions.iter_mut().for_each(take);
    let after_traffic = held();
    assert!(
        after_traffic < with_all,
        "queues release their memory: {with_all} bytes before traffic, {after_traffic} after"
    );
    // In no particular order.
    while !sessions.is_empty() {
        let at = sessions.len() * 7919 % sessions.len().max(1);
        drop(sessions.swap_remove(at));
    }
    drop(sessions);
    is_as_new(&manager);
    let after = held();
    assert!(
        after <= before + (256 << 10),
        "{before} bytes before, {after} after many streams"
    );

    let per_stream = (with_all - before) / 50_000;
    assert!(
        per_stream < 2048,
        "{per_stream} bytes for a stream of a user of its own in three topics"
    );

    let (without, with) = (
        publishes(Manager::builder()),
        publishes(Manager::builder().log(full())),
    );
    assert!(
        with <= without + PUBLISHES + 16,
        "a logged event costs its id: {without} allocations, {with} with a log"
    );
}

const PUBLISHES: usize = 1000;

fn full() -> Retention {
    Retention::default().entries(PUBLISHES)
}

/// Counts the allocations of a publish to one stream and of its delivery, with a full log.
fn publishes(builder: ManagerBuilder) -> usize {
    let manager = builder.build().unwrap();
    let mut session = manager.connect(handshake(0)).unwrap();
    let mut publish = || {
        let topic = manager
            .topic("everybody's")
            .publish(Event::text("x".repeat(100)));
        topic.now_or_never().unwrap().unwrap();
        take(&mut session);
    };
    (0..2 * PUBLISHES).for_each(|_| publish());
    let before = ALLOCATOR.stats().allocations;
    (0..PUBLISHES).for_each(|_| publish());
    ALLOCATOR.stats().allocations - before
}
