//! Clients that connect and disconnect.

use sse_core::Manager;
use sse_testkit::RawRequest;

use crate::app::{App, TIMEOUT};

const CLIENTS: usize = 8;
const CYCLES: usize = 250;

/// Connects, and disconnects in one of the ways of real clients.
async fn cycle(app: &App, round: usize) {
    let request = RawRequest::get(app.address, "/events?topics=a,b");
    match round % 4 {
        0 => drop(request.send().await.unwrap()),
        1 => request.send().await.unwrap().reset().unwrap(),
        2 => drop(request.open().await.unwrap()),
        _ => {
            let mut client = request.open().await.unwrap();
            client.next_event_within(TIMEOUT).await.unwrap();
            client.reset().unwrap();
        }
    }
}

#[tokio::test]
async fn two_thousand_aborted_clients_leave_nothing() {
    let app = App::start(Manager::builder()).await;
    let clients = (0..CLIENTS).map(async |client| {
        for round in 0..CYCLES {
            cycle(&app, client + round).await;
        }
    });
    futures_util::future::join_all(clients).await;
    app.until(|app| app.connections() == 0).await;
    let stats = app.manager.stats();
    assert_eq!(
        (stats.total_connections, stats.unique_users, stats.ending),
        (0, 0, 0)
    );
    // Clients that read an event were connected. Some of the others disconnected before the server
    // accepted them.
    let least = (CLIENTS * CYCLES / 2) as u64;
    assert!(
        (least..=2 * least).contains(&stats.counters.connected),
        "{}",
        stats.counters.connected
    );
    assert_eq!(
        stats.counters.disconnected.get("client_left"),
        stats.counters.connected
    );
    assert_eq!(
        app.manager
            .topic("a")
            .publish(sse_core::Event::text("x"))
            .await
            .unwrap()
            .matched,
        0
    );
}
