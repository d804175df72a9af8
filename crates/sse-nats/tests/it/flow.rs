//! Entries that keep coming.

use std::time::Duration;

use sse_core::Backplane;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    faults::{append, beginning, take},
    server::Server,
};

/// nats-server 2.9 forgets a request for messages if one comes at the moment at which its time is over.
#[tokio::test]
async fn a_steady_flow_never_ceases() {
    const COUNT: u64 = 3000;
    let Some(server) = Server::start().await else { return };
    let node = server.node().await;
    let start = beginning(&node).await;
    let mut tails = JoinSet::new();
    for offset in 0..8 {
        let mut tail = node.tail(&start).await.unwrap();
        tails.spawn(async move {
            // So that their requests end at other moments.
            sleep(Duration::from_millis(100) * offset).await;
            take(&mut tail, usize::try_from(COUNT).unwrap()).await.len()
        });
    }
    let begin = Instant::now();
    let mut appends = JoinSet::new();
    for number in 0..COUNT {
        sleep(Duration::from_millis(number).saturating_sub(begin.elapsed())).await;
        let node = node.clone();
        appends.spawn(async move { append(&node, "x").await });
    }
    appends.join_all().await;
    assert_eq!(tails.join_all().await, [3000; 8]);
}
