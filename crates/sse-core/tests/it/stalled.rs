//! Streams whose transport takes no events, in paused time.

use std::{
    task::{Context, Waker},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use sse_core::{DisconnectReason, Event, Handshake, Manager, config::HeartbeatKind};
use sse_testkit::Decoder;
use tokio::time::{Instant, sleep};

use crate::support::{Client, Heard, publish_all};

const MINUTE: Duration = Duration::from_secs(60);
const LEAST: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn ending_after(client: &Client) -> (DisconnectReason, Duration) {
    let start = Instant::now();
    let reason = client.session.closed().await;
    (reason, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn stalled_stream_ends_in_time_and_delays_no_other() {
    let heard = Heard::default();
    let manager = Manager::builder().hooks(heard.clone()).build().unwrap();
    let stalled = Client::greeted(&manager, Handshake::new());
    let start = Instant::now();
    let others: Vec<_> = (0..20)
        .map(|_| {
            let mut session = manager.connect(Handshake::new()).unwrap();
            tokio::spawn(async move {
                let mut decoder = Decoder::new();
                let mut late = Vec::new();
                while let Some(buffer) = session.next().await {
                    let events = decoder.feed(&buffer).into_iter();
                    late.extend(events.filter(|event| event.event_type == "message").map(
                        |event| {
                            let sent: u64 = event.data.parse().unwrap();
                            start.elapsed() - Duration::from_millis(sent)
                        },
                    ));
                }
                late
            })
        })
        .collect();
    let watched = tokio::spawn(async move {
        let ended = ending_after(&stalled).await;
        drop(stalled);
        ended
    });
    for _ in 0..100 {
        manager
            .all()
            .publish(Event::text(start.elapsed().as_millis().to_string()))
            .await
            .unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    let (reason, after) = watched.await.unwrap();
    assert_eq!(reason, DisconnectReason::Stalled);
    assert!(after >= MINUTE * 3 / 4 && after <= MINUTE, "{after:?}");
    assert_eq!(
        heard.reasons(),
        [DisconnectReason::Stalled],
        "no other stream ends"
    );
    manager.shutdown(sse_core::ShutdownOptions::default()).await;
    for other in others {
        let late = other.await.unwrap();
        assert_eq!(late.len(), 100);
        assert!(
            late.iter().all(|late| *late < Duration::from_millis(5)),
            "{late:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn timeouts_hold_at_any_heartbeat_interval() {
    for timeout in [100, 1000, 7777, 60_000, 86_400_000].map(Duration::from_millis) {
        for interval in [timeout / 10, timeout * 10].map(|interval| interval.clamp(LEAST, DAY)) {
            let manager = Manager::builder()
                .connection_timeout(timeout)
                .heartbeat_interval(interval)
                .build()
                .unwrap();
            // At different phases of the timer.
            for pause in [0, 1, 37] {
                sleep(Duration::from_millis(pause)).await;
                let client = Client::greeted(&manager, Handshake::new());
                publish_all(&manager, ["waits"]).await;
                let (reason, after) = ending_after(&client).await;
                assert_eq!(reason, DisconnectReason::Stalled);
                assert!(
                    after >= timeout * 3 / 4 && after <= timeout,
                    "{after:?} of {timeout:?}, {interval:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn untaken_heartbeat_ends_the_stream() {
    let manager = Manager::builder().build().unwrap();
    let client = Client::connect(&manager, Handshake::new());
    let (reason, after) = ending_after(&client).await;
    assert_eq!(reason, DisconnectReason::Stalled);
    assert!(
        after >= Duration::from_secs(75) && after <= Duration::from_secs(98),
        "{after:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_transport_is_not_stalled() {
    let manager = Manager::builder().build().unwrap();
    let mut client = Client::greeted(&manager, Handshake::new());
    publish_all(&manager, ["x"; 20]).await;
    for _ in 0..20 {
        sleep(Duration::from_secs(44)).await;
        let mut frames = Vec::new();
        let taken =
            client
                .session
                .poll_frames(&mut Context::from_waker(Waker::noop()), 1, &mut frames);
        assert_eq!(taken, std::task::Poll::Ready(Some(1)));
    }
    assert_eq!(client.session.closed().now_or_never(), None);
}

#[tokio::test(start_paused = true)]
async fn idle_stream_is_not_stalled() {
    let manager = Manager::builder()
        .heartbeat(HeartbeatKind::Off)
        .build()
        .unwrap();
    let client = Client::connect(&manager, Handshake::new());
    sleep(MINUTE * 60).await;
    assert_eq!(client.session.closed().now_or_never(), None);
    assert_eq!(manager.stats().total_connections, 1);
}
