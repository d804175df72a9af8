//! `max_age`, in paused time.

use std::{collections::BTreeSet, time::Duration};

use sse_core::{DisconnectReason, Handshake, Manager};
use tokio::time::{Instant, sleep};

use crate::support::{Client, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn streams_end_spread_over_last_fifth_of_max_age() {
    for age in [1, 100, 20 * 24 * 60 * 60].map(Duration::from_secs) {
        // Timers run at the pace of the shortest setting.
        let others = (age / 10).clamp(Duration::from_secs(1), DAY);
        let manager = Manager::builder()
            .max_age(age)
            .heartbeat_interval(others)
            .connection_timeout(others);
        let manager = manager.build().unwrap();
        sleep(Duration::from_millis(77)).await;
        let start = Instant::now();
        let streams: Vec<_> = (0..200)
            .map(|_| {
                let mut client = Client::greeted(&manager, Handshake::new());
                tokio::spawn(async move {
                    let ending = client.session.closed();
                    tokio::pin!(ending);
                    let reason = loop {
                        tokio::select! {
                            reason = &mut ending => break reason,
                            () = sleep(others / 2) => drop(client.take()),
                        }
                    };
                    (reason, start.elapsed(), client.take())
                })
            })
            .collect();
        let mut ends = BTreeSet::new();
        for stream in streams {
            let (reason, after, events) = stream.await.unwrap();
            assert_eq!(reason, DisconnectReason::MaxAge);
            assert!(after >= age * 4 / 5 && after <= age, "{after:?} of {age:?}");
            let farewell = json(events.last().unwrap());
            assert_eq!(farewell["event"], "disconnected");
            assert_eq!(
                farewell["data"],
                serde_json::json!({ "reason": "max_age", "reconnect": true })
            );
            ends.insert(after);
        }
        assert!(ends.len() > 10, "{}", ends.len());
    }
}
