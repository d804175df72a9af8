//! Parts of a backplane's log that a node no longer holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use sse_core::{
    Event, Handshake, Manager, Retention,
    backplane::{Backplane as _, MemoryBackplane, NewEntry},
};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::time::sleep;

use crate::{
    nodes::{SOON, node, node_holding, reasons},
    support::{Client, data, from, publish_all, resumed},
};

/// Connects a client that left before five hundred entries of which its node holds the last ten.
async fn returning(manager: &Manager) -> Client {
    let mut client = Client::connect(manager, Handshake::new().user("42"));
    let had = client.take().last().unwrap().id.clone();
    drop(client);
    publish_all(manager, (0..500).map(|number| number.to_string())).await;
    Client::connect(manager, from(&had).user("42"))
}

#[tokio::test(start_paused = true)]
async fn entries_outside_the_window_come_from_the_backplane() {
    let backplane = MemoryBackplane::new(Retention::default());
    let manager = node_holding(backplane, Retention::default().entries(10)).await;
    let mut client = Client::connect(&manager, Handshake::new().user("42"));
    let had = client.take().last().unwrap().id.clone();
    drop(client);
    for number in 0..5000 {
        let user = if number % 10 == 0 { "42" } else { "43" };
        manager
            .user(user)
            .publish(Event::text(number.to_string()))
            .await
            .unwrap();
    }
    let mut clients: Vec<_> = (0..100)
        .map(|_| Client::connect(&manager, from(&had).user("42")))
        .collect();
    let mut came: Vec<_> = clients.iter_mut().map(Client::take).collect();
    manager
        .user("42")
        .publish(Event::text("live"))
        .await
        .unwrap();
    for _ in 0..100 {
        sleep(SOON).await;
        clients
            .iter_mut()
            .zip(&mut came)
            .for_each(|(client, came)| came.extend(client.take()));
    }
    let expected: Vec<_> = (0..500)
        .map(|number| (number * 10).to_string())
        .chain(["live".to_owned()])
        .collect();
    for events in &came {
        assert!(resumed(events));
        assert_eq!(data(events), expected);
    }
    let reads = manager.log_stats().unwrap().reads;
    assert!(
        (5..=10).contains(&reads),
        "{reads} reads of five thousand entries for a hundred clients"
    );
}

#[tokio::test(start_paused = true)]
async fn entries_trimmed_from_the_backplane_are_a_gap() {
    let backplane = MemoryBackplane::new(Retention::default().entries(100));
    let manager = node_holding(backplane, Retention::default().entries(10)).await;
    let mut client = Client::connect(&manager, Handshake::new());
    let had = client.take().last().unwrap().id.clone();
    drop(client);
    publish_all(&manager, (0..500).map(|number| number.to_string())).await;
    sleep(Duration::from_secs(7)).await;
    let mut client = Client::connect(&manager, from(&had));
    let mut events = client.take();
    for _ in 0..10 {
        sleep(SOON).await;
        events.extend(client.take());
    }
    assert!(!resumed(&events));
    assert_eq!(reasons(&events), ["trimmed"]);
    let expected: Vec<_> = (400..500).map(|number| number.to_string()).collect();
    assert_eq!(data(&events), expected);
}

#[tokio::test(start_paused = true)]
async fn client_ahead_of_a_lagging_node_misses_nothing() {
    let memory = MemoryBackplane::new(Retention::default());
    let backplane = ScriptedBackplane::new(memory.clone());
    let lagging = node_holding(backplane.clone(), Retention::default().entries(5)).await;
    let other = node(memory).await;
    let mut client = Client::connect(&other, Handshake::new());
    backplane.set_away(true);
    sleep(Duration::from_secs(2)).await;
    publish_all(&other, ["had"]).await;
    let had = client.take().last().unwrap().id.clone();
    let mut moved = Client::connect(&lagging, from(&had));
    publish_all(&other, (0..50).map(|number| number.to_string())).await;
    backplane.set_away(false);
    let mut events = Vec::new();
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        events.extend(moved.take());
    }
    assert_eq!(
        data(&events),
        (0..50).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(reasons(&events), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn unreadable_entry_at_window_start_delays_no_stream() {
    let backplane = MemoryBackplane::new(Retention::default());
    let first = node(backplane.clone()).await;
    let mut client = Client::connect(&first, Handshake::new());
    let had = client.take().last().unwrap().id.clone();
    publish_all(&first, ["1", "2"]).await;
    backplane
        .append(NewEntry {
            payload: "garbage".into(),
            key: None,
        })
        .await
        .unwrap();
    publish_all(&first, ["3", "4"]).await;
    // Two entries follow the unreadable entry.
    let second = node_holding(backplane, Retention::default().entries(2)).await;
    for visit in 1..=2 {
        let mut client = Client::connect(&second, from(&had));
        let mut events = client.take();
        for _ in 0..5 {
            sleep(Duration::from_secs(1)).await;
            events.extend(client.take());
        }
        assert_eq!(data(&events), ["1", "2", "3", "4"]);
        // The target of the entry is unknown.
        assert_eq!(reasons(&events), ["damaged"]);
        assert_eq!(
            resumed(&events),
            visit == 1,
            "the damage is known at the second visit"
        );
        assert_eq!(
            second.log_stats().unwrap().unreadable,
            1,
            "the unreadable entry is counted once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_stalls_in_an_old_part_is_ended() {
    let manager = node_holding(
        MemoryBackplane::new(Retention::default()),
        Retention::default().entries(10),
    )
    .await;
    let mut slow = returning(&manager).await;
    slow.take();
    sleep(SOON).await;
    let std::task::Poll::Ready(Some(_)) = slow.buffer() else {
        panic!("no part of the log")
    };
    let ended = slow.session.closed();
    sleep(Duration::from_secs(90)).await;
    assert_eq!(ended.await, sse_core::DisconnectReason::Stalled);
}

#[tokio::test(start_paused = true)]
async fn topic_changes_apply_in_old_parts() {
    let manager = node_holding(
        MemoryBackplane::new(Retention::default()),
        Retention::default().entries(10),
    )
    .await;
    let topic = sse_core::Topic::new("t").unwrap();
    let publish = async |text: &str| manager.topic("t").publish(Event::text(text)).await.unwrap();
    let mut client = returning(&manager).await;
    publish("before").await;
    manager.join(client.id(), &topic).unwrap();
    publish("joined").await;
    manager.leave(client.id(), &topic).unwrap();
    publish("left").await;
    // The log holds none of these entries when the client reaches them.
    for number in 0..20 {
        manager
            .user("43")
            .publish(Event::text(number.to_string()))
            .await
            .unwrap();
    }
    let mut events = Vec::new();
    for _ in 0..5 {
        events.extend(client.take());
        sleep(Duration::from_secs(1)).await;
    }
    let expected: Vec<_> = (0..500)
        .map(|number| number.to_string())
        .chain(["joined".to_owned()])
        .collect();
    assert_eq!(data(&events), expected);
}

/// Streams that wait for an old part are woken when it was read, and not whenever an event is
/// published.
#[tokio::test(start_paused = true)]
async fn stream_that_waits_for_a_part_is_not_woken_early() {
    let memory = MemoryBackplane::new(Retention::default());
    let way = ScriptedBackplane::new(memory.clone());
    let manager = node_holding(way.clone(), Retention::default().entries(5)).await;
    let had = manager.log_stats().unwrap().head.to_string();
    publish_all(&manager, (0..50).map(|number| number.to_string())).await;
    let mut clients: Vec<_> = (0..600)
        .map(|_| Client::connect(&manager, from(&had).topic("other")))
        .collect();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poll = |client: &mut Client| client.take_by(&waker);
    let other = node(memory).await;
    // The next request takes long: the part that all streams wait for.
    let mut events: Vec<_> = clients.iter_mut().map(&mut poll).collect();
    way.delay([Duration::from_secs(3)]);
    for number in 0..20 {
        other
            .topic("other")
            .publish(Event::text(format!("busy {number}")))
            .await
            .unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        wakes.0.load(Ordering::SeqCst),
        0,
        "no stream is woken for entries it does not wait for"
    );
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        clients
            .iter_mut()
            .zip(&mut events)
            .for_each(|(client, events)| events.extend(poll(client)));
    }
    let busy = (0..20).map(|number| format!("busy {number}"));
    let all: Vec<_> = (0..50)
        .map(|number| number.to_string())
        .chain(busy)
        .collect();
    for events in &events {
        assert_eq!(data(events), all);
        assert_eq!(reasons(events), Vec::<String>::new());
    }
    assert!(
        manager.log_stats().unwrap().reads <= 3,
        "one read serves all streams"
    );
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn unlogged_events_keep_their_order_among_old_parts() {
    let retention = Retention::default().entries(5);
    let manager = node_holding(MemoryBackplane::new(Retention::default()), retention).await;
    publish_all(&manager, ["had"]).await;
    let had = manager.log_stats().unwrap().head.to_string();
    publish_all(&manager, ["0"]).await;
    let mut client = Client::connect(&manager, from(&had));
    let now = |text: &str| manager.all().publish(Event::text(text).ephemeral());
    now("first").await.unwrap();
    publish_all(&manager, ["1", "2"]).await;
    now("between").await.unwrap();
    publish_all(&manager, (3..40).map(|number| number.to_string())).await;
    now("late").await.unwrap();
    publish_all(&manager, ["40", "41"]).await;
    now("last").await.unwrap();
    let mut events = Vec::new();
    for _ in 0..5 {
        events.extend(client.take());
        sleep(Duration::from_secs(1)).await;
    }
    let mut expected: Vec<_> = (0..42).map(|number| number.to_string()).collect();
    for (at, name) in [(42, "last"), (40, "late"), (3, "between"), (1, "first")] {
        expected.insert(at, name.to_owned());
    }
    assert_eq!(data(&events), expected);
}
