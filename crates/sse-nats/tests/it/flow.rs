//! A steady flow of entries.

use std::time::Duration;

use sse_core::backplane::Backplane;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    faults::{append, beginning, take},
    server::Server,
};

/// nats-server 2.9 forgets a request for messages if a message arrives at the moment at which the
/// request's time is over.
#[tokio::test]
async fn steady_flow_is_never_interrupted() {
    const COUNT: usize = 3000;
    let Some(server) = Server::start().await else {
        return;
    };
    let node = server.node().await;
    let start = beginning(&node).await;
    let mut tails = JoinSet::new();
    for offset in 0..8 {
        let mut tail = node.tail(&start).await.unwrap();
        tails.spawn(async move {
            // The delay lets their requests end at other moments.
            sleep(Duration::from_millis(100) * offset).await;
            take(&mut tail, COUNT).await.len()
        });
    }
    // Appends are sequential, so that a slow machine has a slower flow, and not too many appends in
    // flight.
    let begin = Instant::now();
    for number in 0..COUNT {
        let due = Duration::from_millis(u64::try_from(number).unwrap());
        sleep(due.saturating_sub(begin.elapsed())).await;
        append(&node, "x").await;
    }
    assert!(
        tails
            .join_all()
            .await
            .into_iter()
            .all(|count| count == COUNT)
    );
}
