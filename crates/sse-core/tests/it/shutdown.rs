//! Shutting down, in paused time.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{FutureExt, StreamExt};
use sse_core::{
    ConnectErrorKind, DisconnectReason, Event, Handshake, Manager, ShutdownOptions, Target,
};
use sse_testkit::Decoder;
use tokio::time::{Instant, sleep};

use crate::support::{Client, Heard, name, publish_all};

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_thousand_streams_at_once() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let streams: Vec<_> = (0..1000)
        .map(|_| {
            let session = manager.connect(Handshake::new()).unwrap();
            tokio::spawn(session.collect::<Vec<_>>())
        })
        .collect();
    publish_all(&manager, ["last"]).await;
    let start = Instant::now();
    let drained = manager.shutdown(ShutdownOptions::default()).await;
    assert_eq!((drained.ended, drained.left), (1000, 0));
    assert!(
        start.elapsed() < Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );

    let mut retries = BTreeSet::new();
    for stream in streams {
        let mut decoder = Decoder::new();
        let buffers = stream.await.unwrap();
        let events: Vec<_> = buffers
            .iter()
            .flat_map(|buffer| decoder.feed(buffer))
            .collect();
        assert_eq!(
            events.iter().map(name).collect::<Vec<_>>(),
            ["connection", "message", "shutdown"]
        );
        let retry = decoder.retry().unwrap();
        assert!((1000..=10_000).contains(&retry), "{retry}");
        retries.insert(retry);
    }
    assert!(
        retries.len() > 900,
        "clients return spread over time: {}",
        retries.len()
    );
    assert_eq!(heard.reasons(), [DisconnectReason::Shutdown; 1000]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_rejected_during_the_delay() {
    let manager = Manager::builder().build().unwrap();
    let mut old = Client::greeted(&manager, Handshake::new());
    let start = Instant::now();
    let drain = ShutdownOptions::within(Duration::from_secs(7)).with_delay(Duration::from_secs(5));
    let shutdown = tokio::spawn({
        let manager = manager.clone();
        async move { manager.shutdown(drain).await }
    });
    for second in 0..5 {
        sleep(Duration::from_millis(if second == 0 { 1 } else { 1000 })).await;
        assert!(manager.is_shutting_down() && !manager.rejects_streams());
        let mut newcomer = Client::greeted(&manager, Handshake::new());
        publish_all(&manager, ["news"]).await;
        assert_eq!(
            (old.data(), newcomer.data()),
            (vec!["news".to_owned()], vec!["news".to_owned()])
        );
    }
    sleep(Duration::from_millis(1100)).await;
    assert!(manager.rejects_streams());
    assert_eq!(old.names(), ["shutdown"]);
    assert_eq!(
        shutdown.await.unwrap().left,
        1,
        "the deadline counts from the end of the delay"
    );
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn announced_shutdown_changes_only_readiness() {
    let manager = Manager::builder().build().unwrap();
    assert!(!manager.is_shutting_down());
    manager.announce_shutdown();
    assert!(manager.is_shutting_down() && !manager.rejects_streams());
    Client::greeted(&manager, Handshake::new());
}

#[tokio::test(start_paused = true)]
async fn deadline_holds_and_newcomers_are_rejected() {
    let manager = Manager::builder().build().unwrap();
    let mut blocked = Client::greeted(&manager, Handshake::new());
    let ending = blocked.session.closed();
    assert!(!manager.rejects_streams());
    let start = Instant::now();
    let drain = ShutdownOptions::within(Duration::from_secs(7))
        .with_retry(Duration::from_secs(5)..=Duration::from_secs(5));
    let shutdown = tokio::spawn({
        let manager = manager.clone();
        async move { manager.shutdown(drain).await }
    });
    assert_eq!(
        ending.await,
        DisconnectReason::Shutdown,
        "a server can close blocked streams"
    );
    assert!(manager.rejects_streams());
    let refused = manager.connect(Handshake::new()).unwrap_err();
    assert_eq!(
        (refused.cause(), refused.response().status),
        (&ConnectErrorKind::ShuttingDown, 503)
    );
    assert_eq!(
        manager
            .publish(Target::All, Event::text("late"))
            .await
            .unwrap()
            .matched,
        0
    );
    let drained = shutdown.await.unwrap();
    assert_eq!((drained.ended, drained.left), (1, 1));
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    assert_eq!(manager.stats().ending, 1);
    assert_eq!(blocked.names(), ["shutdown"]);
    assert_eq!(blocked.decoder.retry(), Some(5000));
    assert!(blocked.over && blocked.take().is_empty());
    // A second time, with no streams left.
    drop(blocked);
    let drained = manager.shutdown(ShutdownOptions::default()).await;
    assert_eq!((drained.ended, drained.left), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn dropped_streams_end_the_shutdown_early() {
    let manager = Manager::builder().build().unwrap();
    let clients = [0; 3].map(|_| Client::greeted(&manager, Handshake::new()));
    let start = Instant::now();
    tokio::spawn(async move {
        for client in clients {
            sleep(Duration::from_secs(1)).await;
            drop(client);
        }
    });
    let drained = manager.shutdown(ShutdownOptions::default()).await;
    assert_eq!((drained.ended, drained.left), (3, 0));
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn simultaneous_and_dropped_shutdowns_are_harmless() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::greeted(&manager, Handshake::new());
    let (long, mut short) = (
        manager.shutdown(ShutdownOptions::default()),
        Box::pin(manager.shutdown(ShutdownOptions::default())),
    );
    assert!(short.as_mut().now_or_never().is_none());
    drop(short);
    assert!(manager.connect(Handshake::new()).is_err());
    let (one, other, ()) = tokio::join!(
        long,
        manager.shutdown(ShutdownOptions::within(Duration::ZERO)),
        async {
            sleep(Duration::from_secs(1)).await;
            drop(client);
        }
    );
    assert_eq!((one.left, other.left), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn invalid_retry_range_does_not_panic() {
    for range in [
        Duration::from_secs(9)..=Duration::from_secs(1),
        Duration::ZERO..=Duration::MAX,
    ] {
        let manager = Manager::builder().build().unwrap();
        let mut client = Client::greeted(&manager, Handshake::new());
        manager
            .shutdown(ShutdownOptions::within(Duration::ZERO).with_retry(range))
            .await;
        assert_eq!(client.names(), ["shutdown"]);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_without_a_deadline_waits() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::greeted(&manager, Handshake::new());
    tokio::spawn(async move {
        sleep(Duration::from_secs(60 * 60)).await;
        drop(client);
    });
    let drained = manager
        .shutdown(ShutdownOptions::within(Duration::MAX))
        .await;
    assert_eq!((drained.ended, drained.left), (1, 0));
}
