//! Clients that take nothing.

use std::time::Duration;

use sse_core::{Event, Manager, Overflow, Reason};
use sse_testkit::RawRequest;

use crate::app::{App, PATIENCE};

/// One client reads nothing while another reads on: the first is ended, its connection broken off, the other misses nothing.
async fn stall(builder: sse_core::Builder) -> Vec<Reason> {
    let app = App::start(builder).await;
    let stalled =
        RawRequest::get(app.address, "/api/sse?user=slow").receive_buffer(4096).open().await.unwrap();
    let mut reader = app.open("/api/sse?user=fast").await;
    app.until(|manager| manager.stats().total_connections == 2).await;
    let large = "x".repeat(64 << 10);
    let mut sent = 0;
    while app.manager.stats().total_connections + app.manager.stats().ending == 2 {
        app.manager.all().publish(Event::text(format!("{sent} {large}"))).await.unwrap();
        let got = reader.next_event_within(PATIENCE).await.unwrap();
        assert!(got.data.starts_with(&format!("{sent} ")), "event {sent}");
        sent += 1;
        assert!(sent < 100_000, "the stalled client was never ended");
    }
    drop(stalled);
    let reasons = app.departures(1).await;
    assert_eq!(app.manager.stats().total_connections, 1);
    reasons
}

#[tokio::test]
async fn a_stalled_client_is_broken_off_and_harms_nobody() {
    let builder = Manager::builder()
        .connection_timeout(Duration::from_millis(400))
        .queue(1 << 20, 1 << 30)
        .overflow(Overflow::Disconnect);
    assert_eq!(stall(builder).await, [Reason::Stalled]);
}

#[tokio::test]
async fn a_client_whose_queue_overflows_is_broken_off_and_harms_nobody() {
    let builder = Manager::builder().connection_timeout(Duration::from_secs(2)).queue(4, 1 << 20);
    assert_eq!(stall(builder).await, [Reason::Overflow]);
}

#[tokio::test]
async fn a_client_that_keeps_the_latest_is_told_of_the_gap() {
    let app = App::start(Manager::builder().queue(2, 1 << 20).overflow(Overflow::DropOldest)).await;
    let mut client = RawRequest::get(app.address, "/api/sse").receive_buffer(4096).open().await.unwrap();
    app.until(|manager| manager.stats().total_connections == 1).await;
    let large = "x".repeat(256 << 10);
    let mut sent = 0_u64;
    while app.manager.stats().counters.dropped == 0 {
        app.manager.all().publish(Event::text(format!("{sent} {large}"))).await.unwrap();
        sent += 1;
        tokio::task::yield_now().await;
    }
    let (mut received, mut told) = (0, 0);
    while received + told < sent {
        let event = client.next_event_within(PATIENCE).await.unwrap();
        match event.event_type.as_str() {
            "connection" => {}
            "system" => {
                let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                assert_eq!((&data["event"], &data["data"]["reason"]), (&"gap".into(), &"overflow".into()));
                told += data["data"]["dropped"].as_u64().unwrap();
            }
            _ => received += 1,
        }
    }
    assert_eq!((received + told, app.manager.stats().counters.dropped), (sent, told));
}
