//! Clients that read nothing.

use std::time::Duration;

use sse_core::{DisconnectReason, Manager, ManagerBuilder, ShutdownOptions, config::Overflow};
use tokio::time::timeout;

use crate::{
    adapter::{
        harness::Harness,
        running_app::{RunningApp, TIMEOUT, next, next_data},
    },
    client::RawClient,
};

/// Long enough for a server on a busy machine to send the data that waits for a client that reads.
const SOON: Duration = Duration::from_secs(2);

fn large() -> String {
    "x".repeat(16 << 10)
}

/// Stalls one client while another reads on. The other client misses nothing; the first is
/// disconnected and its connection closed.
async fn stall(harness: Harness, builder: ManagerBuilder) -> DisconnectReason {
    let app = harness.start_narrow(builder, ShutdownOptions::default());
    let mut slow = app
        .greeted(app.get("/events?user=slow").receive_buffer(4096))
        .await;
    let mut fast = app.open("/events?user=fast").await;
    let mut sent = 0;
    while app.manager.stats().counters.disconnected.get("client_left") == 0
        && is_there(&app, "slow")
    {
        app.publish(&format!("{sent} {}", large())).await;
        let got = next_data(&mut fast).await;
        assert!(
            got.starts_with(&format!("{sent} ")),
            "the fast client misses event {sent}"
        );
        sent += 1;
        assert!(sent < 100_000, "the slow client is never ended");
    }
    let reasons = app.departures(1).await;
    assert_eq!(
        app.manager.stats().total_connections,
        1,
        "the fast client is connected"
    );
    is_closed(&app, &slow).await;
    // The client reads what its system still holds, and finds the connection broken off.
    let end = timeout(TIMEOUT, slow.end())
        .await
        .expect("the slow client's connection is closed");
    assert!(
        !end.is_ok_and(crate::end::End::is_clean),
        "a clean end hides missing events"
    );
    drop((slow, fast));
    app.finish().await;
    reasons[0]
}

/// Waits until the server's end of a connection is no longer established, if the system reports it.
async fn is_closed(app: &RunningApp, client: &RawClient) {
    let client = client.local_address().expect("the client's address");
    let ends = format!(
        "0100007F:{:04X} 0100007F:{:04X} 01 ",
        app.address.port(),
        client.port()
    );
    let closed = async {
        while std::fs::read_to_string("/proc/self/net/tcp")
            .is_ok_and(|sockets| sockets.contains(&ends))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TIMEOUT, closed)
        .await
        .expect("the server closes the connection of a client that takes nothing");
}

/// Returns `true` for both detections: by the manager, or by the system's timeout for
/// unacknowledged data.
fn is_found(reason: DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Stalled | DisconnectReason::ClientLeft
    )
}

fn is_there(app: &RunningApp, user: &str) -> bool {
    let query = sse_core::connections::ConnectionQuery::first(10);
    let page = app.manager.connections(&query);
    page.items.iter().any(|stream| {
        stream
            .user_id
            .as_ref()
            .is_some_and(|it| it.as_str() == user)
    })
}

pub async fn stalled_client_is_ended_in_time(harness: Harness) {
    let builder = Manager::builder()
        .connection_timeout(SOON)
        .queue(1 << 20, 1 << 30);
    let reason = stall(harness, builder).await;
    assert!(is_found(reason), "{reason}");
}

pub async fn full_queue_ends_only_its_client(harness: Harness) {
    let builder = Manager::builder()
        .connection_timeout(3 * SOON)
        .queue(8, 1 << 20);
    assert_eq!(stall(harness, builder).await, DisconnectReason::Overflow);
}

/// No event is published: heartbeats alone fill the connection of a silent client.
pub async fn heartbeats_detect_a_silent_client(harness: Harness) {
    struct Large;
    impl sse_core::dialect::Heartbeat for Large {
        fn beat(&self) -> sse_core::Event {
            sse_core::Event::empty().with_comment(large())
        }
    }
    let builder = Manager::builder()
        .connection_timeout(SOON)
        .heartbeat_interval(SOON / 16)
        .custom_heartbeat(Large);
    let app = harness.start_narrow(builder, ShutdownOptions::default());
    let silent = app.greeted(app.get("/events").receive_buffer(4096)).await;
    let reason = app.departures(1).await[0];
    assert!(is_found(reason), "{reason}");
    drop(silent);
    app.finish().await;
}

pub async fn client_that_can_lose_events_receives_the_gap(harness: Harness) {
    let builder = Manager::builder()
        .queue(2, 1 << 20)
        .overflow(Overflow::DropOldest);
    let app = harness.start_narrow(builder, ShutdownOptions::default());
    let mut client = app.greeted(app.get("/events").receive_buffer(4096)).await;
    let mut sent = 0;
    while app.manager.stats().counters.dropped == 0 {
        app.publish(&format!("{sent} {}", large())).await;
        sent += 1;
        tokio::task::yield_now().await;
        assert!(sent < 100_000, "its queue is never full");
    }
    app.publish("last").await;
    let mut lost = 0;
    let mut expected = 0;
    loop {
        let event = next(&mut client).await;
        if event.event_type == "system" {
            let data = crate::adapter::running_app::json(&event);
            assert_eq!(
                (&data["event"], &data["data"]["reason"]),
                (&"gap".into(), &"overflow".into())
            );
            let dropped = data["data"]["dropped"].as_u64().expect("how many");
            lost += dropped;
            expected += dropped;
        } else if event.data == "last" {
            break;
        } else {
            assert!(
                event.data.starts_with(&format!("{expected} ")),
                "event {expected}"
            );
            expected += 1;
        }
    }
    assert!(lost > 0, "the gap comes before what follows it");
    assert_eq!(
        expected, sent,
        "an event was neither delivered nor covered by a gap"
    );
    drop(client);
    app.finish().await;
}
