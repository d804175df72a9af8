//! Publishing as callers do it: futures that are polled by hand, dropped, or awaited.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use proptest::{collection::vec, prelude::*, sample::Index};
use sse_core::{
    Event, EventType, Handshake, JoinError, LeaveError, Manager, PublishError, Receipt, Target,
    Topic,
};
use tokio::task::yield_now;

use crate::support::{Client, publish_all};

/// Enough streams for several polls of a publish.
const STREAMS: usize = 3000;

type Publishing<'a> = Pin<Box<dyn Future<Output = Result<Receipt, PublishError>> + 'a>>;

fn poll(publishing: &mut Publishing<'_>) -> Poll<Receipt> {
    publishing
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .map(Result::unwrap)
}

fn connect_many(manager: &Manager) -> Vec<Client> {
    let handshake = |number: usize| {
        Handshake::new()
            .user((number % 7).to_string())
            .topic("everyone")
    };
    (0..STREAMS)
        .map(|number| Client::greeted(manager, handshake(number)))
        .collect()
}

fn topic(name: &str) -> Target {
    Topic::new(name).unwrap().into()
}

#[derive(Debug, Clone)]
enum Op {
    Publish(bool),
    Poll(Index),
    /// Drops a publish in flight: it continues.
    Forget(Index),
    /// Publishes to one user in between.
    Few,
    Join,
    Leave,
    Drop(Index),
    Yield,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<bool>().prop_map(Op::Publish),
        6 => any::<Index>().prop_map(Op::Poll),
        2 => any::<Index>().prop_map(Op::Forget),
        2 => Just(Op::Few),
        2 => Just(Op::Join),
        2 => Just(Op::Leave),
        1 => any::<Index>().prop_map(Op::Drop),
        1 => Just(Op::Yield),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn large_publishes_keep_their_order(ops in vec(op(), 10..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(places_are_kept(ops))?;
    }
}

async fn places_are_kept(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let manager = Manager::builder().max_connections(10_000).build().unwrap();
    let mut clients = connect_many(&manager);
    // A stream that joins, leaves, and is reached in every way.
    let mut special = Client::greeted(&manager, Handshake::new().user("special"));
    let (mut to_all, mut to_special) = (Vec::new(), Vec::new());
    let (mut begun, mut joined, mut number): (Vec<(Publishing<'_>, usize)>, _, _) =
        (Vec::new(), false, 0);
    for op in ops {
        number += 1;
        match op {
            Op::Publish(everybody) => {
                let target = if everybody {
                    Target::All
                } else {
                    topic("everyone")
                };
                let mut publishing: Publishing<'_> =
                    Box::pin(manager.publish(target, Event::text(number.to_string())));
                let matched = clients.len() + usize::from(everybody || joined);
                match poll(&mut publishing) {
                    Poll::Ready(receipt) => prop_assert_eq!(receipt.matched, matched),
                    Poll::Pending => begun.push((publishing, matched)),
                }
                to_all.push(number.to_string());
                if everybody || joined {
                    to_special.push(number.to_string());
                }
            }
            Op::Poll(at) if !begun.is_empty() => {
                let at = at.index(begun.len());
                if let Poll::Ready(receipt) = poll(&mut begun[at].0) {
                    prop_assert_eq!(receipt.matched, begun.remove(at).1);
                }
            }
            Op::Forget(at) if !begun.is_empty() => drop(begun.remove(at.index(begun.len()))),
            Op::Few => {
                let receipt = manager
                    .user("special")
                    .publish(Event::text(number.to_string()))
                    .await
                    .unwrap();
                prop_assert_eq!(receipt.matched, 1);
                to_special.push(number.to_string());
            }
            Op::Join => {
                prop_assert_eq!(
                    special
                        .session
                        .join(&Topic::new("everyone").unwrap())
                        .is_ok(),
                    !joined
                );
                joined = true;
            }
            Op::Leave => {
                prop_assert_eq!(
                    special
                        .session
                        .leave(&Topic::new("everyone").unwrap())
                        .is_ok(),
                    joined
                );
                joined = false;
            }
            Op::Drop(at) => {
                let count = clients.len();
                let mut client = clients.swap_remove(at.index(count));
                let got = client.data();
                prop_assert!(to_all.starts_with(&got), "{:?}", got);
            }
            Op::Yield => yield_now().await,
            Op::Poll(_) | Op::Forget(_) => {}
        }
    }
    for (publishing, matched) in begun {
        prop_assert_eq!(publishing.await.unwrap().matched, matched);
    }
    // Dropped publishes continue in tasks.
    while tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
        > 0
    {
        yield_now().await;
    }
    prop_assert_eq!(special.data(), to_special);
    for client in &mut clients {
        prop_assert_eq!(&client.data(), &to_all);
    }
    Ok(())
}

#[test]
fn publish_dropped_without_runtime_reaches_everyone() {
    let manager = Manager::builder().max_connections(10_000).build().unwrap();
    let mut clients = connect_many(&manager);
    let mut publishing: Publishing<'_> = Box::pin(manager.publish(Target::All, Event::text("x")));
    let _ = poll(&mut publishing);
    drop(publishing);
    assert!(clients.iter_mut().all(|client| client.data() == ["x"]));
}

#[test]
fn unpolled_publish_does_nothing() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    drop(manager.publish(Target::All, Event::text("x")));
    drop(manager.all().publish(Event::text("x")));
    assert!(client.take().is_empty());
    assert_eq!(manager.stats().counters.published, 0);
}

#[tokio::test]
async fn publish_reaches_targets_but_not_exceptions() {
    let manager = Manager::builder().build().unwrap();
    let mut ann = Client::greeted(&manager, Handshake::new().user("ann").topic("news"));
    let mut ann_too = Client::greeted(&manager, Handshake::new().user("ann"));
    let mut nobody = Client::greeted(&manager, Handshake::new().topic("news"));
    let stranger = { Client::greeted(&manager, Handshake::new()).id() };
    let text = Event::text;
    let matched = |receipt: Result<Receipt, PublishError>| receipt.unwrap().matched;
    assert_eq!(matched(manager.all().publish(text("all")).await), 3);
    assert_eq!(matched(manager.user("ann").publish(text("user")).await), 2);
    assert_eq!(
        matched(manager.topic("news").publish(text("topic")).await),
        2
    );
    assert_eq!(
        matched(manager.client(nobody.id()).publish(text("client")).await),
        1
    );
    assert_eq!(
        matched(manager.client(stranger).publish(text("gone")).await),
        0
    );
    assert_eq!(
        matched(manager.user("eve").publish(text("no such")).await),
        0
    );
    assert_eq!(
        matched(
            manager
                .topic("news")
                .except(ann.id())
                .except(ann.id())
                .publish(text("t-1"))
                .await
        ),
        1
    );
    assert_eq!(
        matched(
            manager
                .topic("news")
                .except(ann_too.id())
                .publish(text("t-0"))
                .await
        ),
        2
    );
    assert_eq!(
        matched(
            manager
                .all()
                .except(ann.id())
                .except(stranger)
                .publish(text("a-1"))
                .await
        ),
        2
    );
    assert_eq!(
        matched(
            manager
                .client(ann.id())
                .except(ann.id())
                .publish(text("c-1"))
                .await
        ),
        0
    );
    assert_eq!(ann.data(), ["all", "user", "topic", "t-0"]);
    assert_eq!(ann_too.data(), ["all", "user", "a-1"]);
    assert_eq!(
        nobody.data(),
        ["all", "topic", "client", "t-1", "t-0", "a-1"]
    );
    assert_eq!(manager.stats().counters.published, 10);
}

#[tokio::test]
async fn reserved_events_are_rejected() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    let reserved = [
        Event::text("x").with_event_type(EventType::CONNECTION),
        Event::text("x").with_event_type(EventType::new("heartbeat").unwrap()),
    ];
    // Every spelling of a name that `JSON.parse` in a browser takes for a name of the manager.
    let systems = [
        r#"{"event":"gap","data":{}}"#,
        r#"{"event":"shutdown"}"#,
        r#"{"event":"auth_expired"}"#,
        r#"{"event":"disconnected"}"#,
        r#"{"event":"degraded"}"#,
        r#"{"event":"restored"}"#,
        r#" { "\u0065vent" : "g\u0061p" } "#,
        "{\r\n\"event\":\r\n\"gap\"}",
        r#"{"event":"mine","event":"gap"}"#,
        r#"{"event":"gap","event":"mine"}"#,
        r#"{"\ud800":1,"event":"gap"}"#,
        r#"{"event":"\ud800","event":"gap"}"#,
        r#"{"event":1e999,"event":"gap"}"#,
        r#"{"data":1e999,"event":"gap"}"#,
        r#"{"data":"\udfff","event":"gap"}"#,
    ]
    .map(str::to_owned);
    let deep = format!(
        r#"{{"event":{}1{},"event":"gap"}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let systems = systems.into_iter().chain([deep]);
    let systems = systems.map(|data| Event::text(data).with_event_type(EventType::SYSTEM));
    for event in reserved.into_iter().chain(systems) {
        let shown = format!("{event:?}");
        let result = manager.all().publish(event).await;
        assert!(
            matches!(result, Err(PublishError::Reserved { .. })),
            "{shown}"
        );
    }
    for free in [
        r#"{"event":"gaps"}"#,
        r#"{"event":{"event":"gap"}}"#,
        r#"["event","gap"]"#,
        "gap",
        "",
    ] {
        let event = Event::text(free).with_event_type(EventType::SYSTEM);
        assert_eq!(
            manager.all().publish(event).await.unwrap().matched,
            1,
            "{free}"
        );
    }
    assert_eq!(client.take().len(), 5);
}

#[tokio::test]
async fn publish_reports_an_invalid_name() {
    let manager = Manager::builder().build().unwrap();
    let long = "x".repeat(257);
    let quoted = format!("\"{}…\"", &long[..64]);
    let event = || Event::text("x");
    let event_type = EventType::new("x".repeat(129)).unwrap();
    for (result, message) in [
        (manager.user("").publish(event()).await, "user is empty"),
        (
            manager.topic("a\n").publish(event()).await,
            r#"topic contains '\n' at byte 1: "a\n""#,
        ),
        (
            manager.user(&long).publish(event()).await,
            &format!("user is 257 bytes long, more than 256: {quoted}"),
        ),
        (
            manager.topic(&long).publish(event()).await,
            &format!("topic is 257 bytes long, more than 256: {quoted}"),
        ),
        (
            manager
                .all()
                .publish(event().with_event_type(event_type))
                .await,
            &format!("event type is 129 bytes long, more than 128: {quoted}"),
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
    assert_eq!(manager.stats().counters.published, 0);
    publish_all(&manager, ["x"]).await;
    assert_eq!(
        manager.stats().counters.published,
        1,
        "a publish counts without streams"
    );
}

#[test]
fn too_long_topic_cannot_be_joined() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::greeted(&manager, Handshake::new());
    let long = Topic::new("x".repeat(257)).unwrap();
    let too_long = Err(JoinError::NameTooLong {
        length: 257,
        limit: 256,
    });
    assert_eq!(client.session.join(&long), too_long);
    assert_eq!(manager.join(client.id(), &long), too_long);
}

#[test]
fn topics_of_a_stream_are_limited() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::greeted(&manager, Handshake::new().user("u").topic("0"));
    let topic = |number: usize| Topic::new(number.to_string()).unwrap();
    let session = &client.session;
    assert_eq!(session.join(&topic(0)), Err(JoinError::AlreadyJoined));
    for number in 1..64 {
        session.join(&topic(number)).unwrap();
    }
    let full = Err(JoinError::TooManyTopics { limit: 64 });
    assert_eq!(session.join(&topic(64)), full);
    assert_eq!(manager.join(client.id(), &topic(64)), full);
    manager.leave(client.id(), &topic(5)).unwrap();
    assert_eq!(session.leave(&topic(5)), Err(LeaveError::NotJoined));
    manager.join(client.id(), &topic(64)).unwrap();
    let id = client.id();
    drop(client);
    assert_eq!(manager.join(id, &topic(1)), Err(JoinError::NotConnected));
    assert_eq!(manager.leave(id, &topic(1)), Err(LeaveError::NotConnected));
}
