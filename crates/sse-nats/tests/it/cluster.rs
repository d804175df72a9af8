//! Three servers that replicate one log.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use serde_json::json;
use sse_core::backplane::{Backplane, BackplaneError, Cursor, NewEntry};
use sse_nats::{NatsBackplane, NatsConfig};
use tokio::time::{Instant, sleep, timeout};

use crate::server::{LOG, Server, config, free_port};

/// Timeout for an event that must happen: elections, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(200);

const ENTRIES: usize = 150;

struct Cluster([Server; 3]);

impl Cluster {
    async fn start() -> Option<Self> {
        let ports = [free_port(), free_port(), free_port()];
        let routes = ports
            .map(|port| format!("\"nats://127.0.0.1:{port}\""))
            .join(", ");
        let extra = |at: usize| {
            let (port, routes) = (ports[at], routes.clone());
            move |_: &Path| {
                format!(
                    "cluster {{ name: test, listen: \"127.0.0.1:{port}\", no_advertise: true, routes: [{routes}] }}"
                )
            }
        };
        let one = Server::start_with(0, extra(0)).await?;
        Some(Self([
            one,
            Server::start_with(0, extra(1)).await?,
            Server::start_with(0, extra(2)).await?,
        ]))
    }

    async fn node(&self, config: &NatsConfig) -> NatsBackplane {
        let urls = self.0.each_ref().map(Server::url).join(",");
        let end = Instant::now() + TIMEOUT;
        loop {
            match NatsBackplane::connect(&urls, config.clone()).await {
                Ok(node) => return node,
                // Until the servers have found each other, three replicas cannot be placed.
                Err(error) => assert!(Instant::now() < end, "{error:?}"),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Returns the server that accepts appends, or `None` while no server does.
    async fn leader(&mut self) -> Option<&mut Server> {
        let client = timeout(Duration::from_secs(5), self.0[0].client())
            .await
            .ok()?;
        let answer = client
            .request(
                format!("$JS.API.STREAM.INFO.{LOG}"),
                json!({}).to_string().into(),
            )
            .await
            .ok()?;
        let info: serde_json::Value = serde_json::from_slice(&answer.payload).ok()?;
        let leader = info["cluster"]["leader"].as_str()?.to_owned();
        self.0.iter_mut().find(|server| server.name() == leader)
    }
}

async fn insist(node: &NatsBackplane, text: &str) -> Cursor {
    let entry = NewEntry {
        payload: Bytes::from(text.to_owned()),
        key: text.try_into().ok(),
    };
    let end = Instant::now() + TIMEOUT;
    loop {
        match node.append(entry.clone()).await {
            Ok(appended) => return appended.cursor,
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        BackplaneError::Unavailable { .. } | BackplaneError::Busy
                    ),
                    "{error:?}"
                );
                assert!(Instant::now() < end, "{error:?}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn follow(node: NatsBackplane, mut after: Cursor) -> Vec<Bytes> {
    let mut all = Vec::new();
    while all.len() < ENTRIES {
        let Ok(mut tail) = node.tail(&after).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        while all.len() < ENTRIES
            && let Ok(batch) = tail.next().await
        {
            after.position = batch
                .entries
                .last()
                .map_or(after.position, |last| last.position);
            all.extend(batch.entries.into_iter().map(|entry| entry.payload));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leaders_lose_and_double_nothing() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    let config = config().replicas(3);
    let (writer, reader) = (cluster.node(&config).await, cluster.node(&config).await);
    let bounds = reader.bounds().await.unwrap();
    let start = Cursor::new(bounds.epoch, bounds.head);
    let follower = tokio::spawn(follow(reader, start.clone()));
    let writing = tokio::spawn(async move {
        let mut last = None;
        for number in 0..ENTRIES {
            last = Some(insist(&writer, &format!("entry {number}")).await);
            sleep(Duration::from_millis(20)).await;
        }
        last.unwrap()
    });
    for _ in 0..2 {
        sleep(Duration::from_millis(700)).await;
        if let Some(leader) = cluster.leader().await {
            leader.stop();
            sleep(Duration::from_millis(700)).await;
            leader.resume().await;
        }
    }
    let last = timeout(TIMEOUT, writing)
        .await
        .expect("the writer did not end in time")
        .unwrap();
    assert_eq!(
        last.epoch, start.epoch,
        "a majority of the servers lost entries"
    );
    let all = timeout(TIMEOUT, follower)
        .await
        .expect("the follower did not end in time")
        .unwrap();
    assert_eq!(
        all,
        (0..ENTRIES)
            .map(|number| format!("entry {number}"))
            .collect::<Vec<_>>()
    );
}
