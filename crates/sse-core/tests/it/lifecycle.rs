//! Notifications to the hooks of an app, and the counters.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use futures_util::FutureExt;
use sse_core::{
    DisconnectOptions, DisconnectReason, Event, Handshake, Manager, Target, Topic, UserId,
    config::Overflow,
    connections::ConnectionQuery,
    dialect::Heartbeat,
    hooks::{Disconnection, Hooks, StreamInfo},
};
use tokio::time::sleep;

use crate::support::{Client, Heard, Reported, json, publish_all};

#[tokio::test(start_paused = true)]
async fn hooks_run_once_on_connect_and_once_on_disconnect() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new().user("ann").address(address));
    assert_eq!(heard.connected(), [client.id()]);
    publish_all(&manager, ["a", "b", "c"]).await;
    assert_eq!(client.take().len(), 3);
    publish_all(&manager, ["never taken"]).await;
    sleep(Duration::from_millis(1500)).await;
    let id = client.id();
    drop(client);
    let all = heard.all();
    let [
        Reported::Connected(came),
        Reported::Disconnected(went, departure),
    ] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!(
        (came, came.client_id, came.address),
        (went, id, Some(address))
    );
    assert_eq!(came.user_id.as_ref().map(UserId::as_str), Some("ann"));
    assert_eq!(
        (departure.reason, departure.delivered),
        (DisconnectReason::ClientLeft, 3)
    );
    assert_eq!(departure.lifetime, Duration::from_millis(1500));
    assert_eq!(departure.bytes, manager.stats().counters.bytes);
    let counters = manager.stats().counters;
    assert_eq!(
        (
            counters.queued,
            counters.delivered,
            counters.disconnected.get("client_left")
        ),
        (4, 3, 1)
    );
}

#[tokio::test]
async fn first_disconnect_reason_stands() {
    let heard = Heard::default();
    let manager = Manager::builder()
        .hooks(heard.clone())
        .queue(1, 1024)
        .build()
        .unwrap();
    let client = Client::greeted(&manager, Handshake::new());
    let ending = client.session.closed();
    assert_eq!(
        manager
            .disconnect(client.id(), DisconnectOptions::new())
            .await,
        1
    );
    publish_all(&manager, ["a", "b"]).await;
    manager
        .shutdown(sse_core::ShutdownOptions::within(Duration::ZERO))
        .await;
    drop(client);
    assert_eq!(ending.await, DisconnectReason::Kicked);
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked]);
    let ended = manager.stats().counters.disconnected;
    assert_eq!((ended.get("kicked"), ended.total()), (1, 1));
}

#[derive(Default)]
struct Counter(AtomicU32);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn waiter_for_the_end_is_woken() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::greeted(&manager, Handshake::new());
    let woken = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut ending = client.session.closed();
    assert!(
        ending
            .poll_unpin(&mut Context::from_waker(&waker))
            .is_pending()
    );
    publish_all(&manager, ["a"]).await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    assert!(!ending.is_released());
    drop(client);
    assert!(ending.is_released());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(ending.now_or_never(), Some(DisconnectReason::ClientLeft));
}

#[tokio::test]
async fn waiting_transport_is_woken_by_events_and_the_end() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    let woken = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut frames = Vec::new();
    for wakes in 1..4 {
        assert!(
            client
                .session
                .poll_frames(&mut Context::from_waker(&waker), 9, &mut frames)
                .is_pending()
        );
        publish_all(&manager, ["a", "b"]).await;
        assert_eq!(
            woken.0.load(Ordering::SeqCst),
            wakes,
            "one wake for several events"
        );
        assert_eq!(client.take().len(), 2);
    }
    assert!(
        client
            .session
            .poll_frames(&mut Context::from_waker(&waker), 9, &mut frames)
            .is_pending()
    );
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 4);
}

/// Calls the manager from within its hooks.
#[derive(Clone, Default)]
struct Meddler(Arc<std::sync::OnceLock<Manager>>);

impl Meddler {
    fn meddle(&self) {
        let manager = self.0.get().expect("set before the first stream");
        let _ = manager.stats();
        manager
            .publish(Target::All, Event::text("from a hook"))
            .now_or_never()
            .unwrap()
            .unwrap();
    }
}

impl Hooks for Meddler {
    fn connected(&self, stream: &StreamInfo) {
        self.meddle();
        let topic = Topic::new("hooked").unwrap();
        self.0
            .get()
            .unwrap()
            .join(stream.client_id, &topic)
            .unwrap();
    }

    fn disconnected(&self, _: &StreamInfo, _: &Disconnection) {
        self.meddle();
    }

    fn dropped(&self, _: &StreamInfo, _: u32) {
        let _ = self.0.get().unwrap().stats();
    }
}

#[test]
fn hooks_may_call_the_manager() {
    let meddler = Meddler::default();
    let builder = Manager::builder()
        .hooks(meddler.clone())
        .queue(2, 1024)
        .overflow(Overflow::DropOldest);
    let manager = builder.build().unwrap();
    assert!(meddler.0.set(manager.clone()).is_ok());
    let mut stays = Client::connect(&manager, Handshake::new());
    assert_eq!(
        stays.names(),
        ["connection", "message"],
        "its own hook published the second"
    );
    drop([0; 3].map(|_| Client::connect(&manager, Handshake::new())));
    assert_eq!(stays.names(), ["gap", "message", "message"]);
    assert_eq!(
        manager.connections(&ConnectionQuery::first(9)).items[0].topics[0].as_str(),
        "hooked"
    );
}

#[tokio::test]
async fn first_block_has_the_connection_event() {
    let manager = Manager::builder()
        .retry(Duration::from_secs(4))
        .build()
        .unwrap();
    let mut client = Client::connect(&manager, Handshake::new().user("ann"));
    publish_all(&manager, ["at once"]).await;
    let std::task::Poll::Ready(Some(block)) = client.buffer() else {
        panic!("no first block")
    };
    assert!(
        !block.windows(4).any(|bytes| bytes == b"\nid:") && !block.starts_with(b"id:"),
        "no log, no id"
    );
    let events = client.decoder.feed(&block);
    assert_eq!(events.len(), 1);
    let data = json(&events[0]);
    assert_eq!(data["status"], "connected");
    assert_eq!(data["clientId"], client.id().to_string());
    assert_eq!(data["userId"], "ann");
    assert_eq!(
        (&data["resumed"], &data["heartbeatMs"]),
        (&false.into(), &30_000.into())
    );
    assert!(data["timestamp"].is_u64());
    assert!((3000..=5000).contains(&client.decoder.retry().unwrap()));
    let mut members: Vec<_> = data
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "clientId",
            "heartbeatMs",
            "resumed",
            "status",
            "timestamp",
            "userId"
        ]
    );
    assert_eq!(client.data(), ["at once"]);
    let mut nobody = Client::connect(&manager, Handshake::new());
    assert!(json(&nobody.take()[0])["userId"].is_null());
}

#[tokio::test]
async fn listings_have_pages_and_filters() {
    let manager = Manager::builder().build().unwrap();
    let name = |number: usize| format!("u{}", number % 7);
    let handshake = |number: usize| {
        let handshake = Handshake::new().user(name(number));
        if number.is_multiple_of(3) {
            handshake.topic("third")
        } else {
            handshake
        }
    };
    let clients: Vec<_> = (0..100)
        .map(|number| Client::connect(&manager, handshake(number)))
        .collect();
    let _nobody = Client::connect(&manager, Handshake::new());
    let pages = |mut query: ConnectionQuery| {
        let mut ids = Vec::new();
        loop {
            let page = manager.connections(&query);
            assert!(page.items.len() <= query.limit);
            ids.extend(
                page.items
                    .into_iter()
                    .map(|connection| connection.client_id),
            );
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return ids;
            }
        }
    };
    let mut all = ConnectionQuery::first(7);
    assert_eq!(pages(all.clone()).len(), 101);
    all.topic = Some(Topic::new("third").unwrap());
    let wanted: Vec<_> = (0..100)
        .filter(|number| number % 3 == 0)
        .map(|number| clients[number].id())
        .collect();
    assert_eq!(pages(all.clone()), wanted);
    all.user = Some(UserId::new("u0").unwrap());
    let wanted: Vec<_> = (0..100)
        .filter(|number| number % 21 == 0)
        .map(|number| clients[number].id())
        .collect();
    assert_eq!(pages(all), wanted);
    assert_eq!(pages(ConnectionQuery::first(usize::MAX)).len(), 101);

    let users = manager.connections_by_user(3).await;
    let expected = [("u0", 15), ("u1", 15), ("u2", 14)]
        .map(|(name, count)| (UserId::new(name).unwrap(), count));
    assert_eq!(
        users, expected,
        "users with most streams first, then by name"
    );
    assert_eq!(manager.connections_by_user(100).await.len(), 7);
    assert_eq!(
        (
            manager.stats().total_connections,
            manager.stats().unique_users
        ),
        (101, 7)
    );
}

/// A server and an app can both wait for the end of a stream.
#[tokio::test(start_paused = true)]
async fn every_waiter_is_notified_of_the_end() {
    let manager = Manager::builder().build().unwrap();
    let session = manager.connect(Handshake::new().user("42")).unwrap();
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(session.closed())).collect();
    drop(session.closed());
    tokio::task::yield_now().await;
    manager
        .disconnect(UserId::new("42").unwrap(), DisconnectOptions::new())
        .await;
    for task in waiting {
        assert_eq!(task.await.unwrap(), DisconnectReason::Kicked);
    }
}

/// The timer that sends heartbeats also finds stalls.
#[tokio::test(start_paused = true)]
async fn panicking_heartbeat_keeps_stall_detection() {
    struct Broken;

    impl Heartbeat for Broken {
        fn beat(&self) -> Event {
            panic!("intentional panic of a heartbeat")
        }
    }

    let manager = Manager::builder().custom_heartbeat(Broken).build().unwrap();
    let session = manager.connect(Handshake::new()).unwrap();
    manager
        .all()
        .publish(Event::text("never taken"))
        .await
        .unwrap();
    assert_eq!(session.closed().await, DisconnectReason::Stalled);
}

#[tokio::test(start_paused = true)]
async fn large_group_is_disconnected_completely_and_once() {
    let manager = Manager::builder().max_connections(2000).build().unwrap();
    let sessions: Vec<_> = (0..1000)
        .map(|_| manager.connect(Handshake::new().topic("news")).unwrap())
        .collect();
    let other = manager.connect(Handshake::new()).unwrap();
    assert_eq!(
        manager
            .disconnect(Topic::new("news").unwrap(), DisconnectOptions::new())
            .await,
        1000
    );
    assert_eq!(manager.stats().total_connections, 1);
    assert_eq!(
        manager
            .disconnect(Target::All, DisconnectOptions::new())
            .await,
        1
    );
    drop((sessions, other));
}
