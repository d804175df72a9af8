//! Streams that were ended and whose transport no longer polls, in paused time.

use std::time::Duration;

use sse_core::{DisconnectOptions, DisconnectReason, Handshake, Manager, ShutdownOptions, Target};
use tokio::time::{Instant, sleep};

use crate::support::{Client, Heard, name, publish_all};

const MINUTE: Duration = Duration::from_secs(60);

async fn released_after(heard: &Heard) -> Duration {
    let start = Instant::now();
    while heard.reasons().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn stalled_stream_is_removed_despite_its_transport() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let mut blocked = Client::greeted(&manager, Handshake::new().user("42").topic("news"));
    publish_all(&manager, ["a", "b"]).await;
    let after = released_after(&heard).await;
    assert!(after >= MINUTE * 3 / 4 && after <= MINUTE, "{after:?}");
    assert_eq!(heard.reasons(), [DisconnectReason::Stalled]);
    let stats = manager.stats();
    assert_eq!(
        (stats.total_connections, stats.unique_users, stats.ending),
        (0, 0, 0)
    );
    assert_eq!(stats.counters.disconnected.get("stalled"), 1);
    assert!(blocked.session.closed().is_released());

    // The transport was blocked, not dead: it receives a gap and the end.
    let reported: Vec<_> = blocked.take().iter().map(name).collect();
    assert_eq!(reported, ["gap", "disconnected"]);
    drop(blocked);
    assert_eq!(
        heard.reasons(),
        [DisconnectReason::Stalled],
        "the stream is reported once"
    );
    assert_eq!(manager.stats().counters.disconnected.get("stalled"), 1);
}

#[tokio::test(start_paused = true)]
async fn ended_stream_has_the_connection_timeout_to_leave() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let blocked = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["a"]).await;
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    assert_eq!(manager.stats().ending, 1);
    let after = released_after(&heard).await;
    assert!(after >= MINUTE && after <= MINUTE * 11 / 10, "{after:?}");
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked]);
    assert_eq!(manager.stats().ending, 0);
    drop(blocked);
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked]);
}

#[tokio::test(start_paused = true)]
async fn transport_that_drains_in_time_misses_nothing() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let mut slow = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["a"]).await;
    manager
        .disconnect(Target::All, DisconnectOptions::new())
        .await;
    sleep(MINUTE * 9 / 10).await;
    assert_eq!(
        slow.take().iter().map(name).collect::<Vec<_>>(),
        ["message", "disconnected"]
    );
    drop(slow);
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked]);
    sleep(MINUTE * 2).await;
    assert_eq!(heard.reasons(), [DisconnectReason::Kicked]);
}

#[tokio::test(start_paused = true)]
async fn long_shutdown_ends_without_blocked_transports() {
    let manager = Manager::builder().build().unwrap();
    let blocked = Client::greeted(&manager, Handshake::new());
    let drained = manager.shutdown(ShutdownOptions::within(MINUTE * 5)).await;
    assert_eq!((drained.ended, drained.left), (1, 0));
    drop(blocked);
}
