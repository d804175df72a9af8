//! The publisher, which follows the documented rules: each publish has a key and is retried at
//! other nodes until it is acknowledged, or until the log could have forgotten the key.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::RngExt;
use serde_json::{Value, json};
use sse_core::{Target, backplane::Cursor};
use sse_testkit::request;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    error::Error, oracle::publications::Publication, population::Population, seed::Seed,
    shared::SharedMutex,
};

/// Maximum number of publishes in flight.
const WORKERS: u32 = 8;

/// Timeout for an answer before another node is tried.
const ANSWER: Duration = Duration::from_secs(5);

/// Time after which an unanswered publish is not retried. The log knows a key for two minutes;
/// after that, a retry could append the event a second time.
const KEY_IS_KNOWN: Duration = Duration::from_secs(100);

/// Publishes numbered events to nodes.
pub(crate) struct Publisher {
    source: Arc<EventSource>,
    workers: JoinSet<Result<(), Error>>,
    stop: watch::Sender<bool>,
}

struct EventSource {
    seed: Seed,
    population: Arc<Population>,
    nodes: Vec<SocketAddr>,
    next: AtomicU64,
    acknowledged: AtomicU64,
    publications: SharedMutex<BTreeMap<u64, Publication>>,
}

/// The outcome of one attempt.
enum PublishOutcome {
    Acknowledged(Cursor),
    /// The event may or may not have been published.
    Unknown,
}

impl Publisher {
    /// Creates a publisher that publishes nothing before `start`.
    pub(crate) fn new(seed: Seed, population: Arc<Population>, nodes: Vec<SocketAddr>) -> Self {
        let source = EventSource {
            seed,
            population,
            nodes,
            next: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            publications: SharedMutex::default(),
        };
        Self {
            source: Arc::new(source),
            workers: JoinSet::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Begins to publish at most `rate` events a second.
    pub(crate) fn start(&mut self, rate: u32) {
        for _ in 0..WORKERS {
            let (source, stop) = (Arc::clone(&self.source), self.stop.subscribe());
            self.workers.spawn(async move {
                source
                    .work(Duration::from_secs(1) * WORKERS / rate, stop)
                    .await
            });
        }
    }

    /// Returns the number of acknowledged events so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.source.acknowledged.load(Ordering::Relaxed)
    }

    /// Returns the reason if publishing ended unasked.
    pub(crate) fn problem(&mut self) -> Option<Error> {
        match self.workers.try_join_next()? {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(error) => Some(Error::new(format!("a publisher panicked: {error}"))),
        }
    }

    /// Publishes an event to all streams. Returns its position in the log if it was acknowledged.
    pub(crate) async fn fence(&self) -> Result<Option<Cursor>, Error> {
        self.source.publish(|_| Target::All).await
    }

    /// Stops publishing after all publishes in flight have ended.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        while let Some(end) = self.workers.join_next().await {
            end.map_err(|error| Error::new(format!("a publisher panicked: {error}")))??;
        }
        Ok(())
    }

    /// Returns all attempted publications.
    pub(crate) fn publications(&self) -> Vec<Publication> {
        self.source
            .publications
            .with(|publications| publications.values().cloned().collect())
    }
}

impl EventSource {
    async fn work(&self, pause: Duration, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stops| *stops) => return Ok(()),
            }
            self.publish(|number| self.population.target(self.seed, number))
                .await?;
        }
    }

    async fn publish(&self, target: impl FnOnce(u64) -> Target) -> Result<Option<Cursor>, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let target = target(number);
        let body = json!({
            "target": target, "event": "number", "data": { "number": number }, "key": format!("number {number}"),
        });
        self.publications
            .with(|all| all.insert(number, Publication::new(number, target)));
        let (body, mut dice) = (body.to_string(), self.seed.dice_of("publishing", number));
        let (start, first) = (Instant::now(), dice.random_range(0..self.nodes.len()));
        for attempt in 0.. {
            if attempt > 0 {
                sleep(Duration::from_millis(dice.random_range(50..300))).await;
                if start.elapsed() > KEY_IS_KNOWN {
                    break;
                }
                self.note(number, |event| event.tries += 1);
            }
            let node = self.nodes[(first + attempt) % self.nodes.len()];
            if let PublishOutcome::Acknowledged(id) = ask(node, &body).await? {
                self.note(number, |event| event.acknowledge(id.clone()));
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn note(&self, number: u64, change: impl FnOnce(&mut Publication)) {
        self.publications
            .with(|publications| publications.get_mut(&number).map(change));
    }
}

/// Asks a node to publish.
async fn ask(node: SocketAddr, body: &str) -> Result<PublishOutcome, Error> {
    let headers = [("content-type", "application/json")];
    let answer = timeout(
        ANSWER,
        request(node, "POST", "/api/trpc/sse.publish", &headers, body),
    )
    .await;
    let Ok(Ok(answer)) = answer else {
        return Ok(PublishOutcome::Unknown);
    };
    let text = String::from_utf8_lossy(&answer.body);
    match answer.status {
        200 => {
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            let id = value["result"]["data"]["id"]
                .as_str()
                .and_then(|id| id.parse().ok());
            id.map(PublishOutcome::Acknowledged)
                .ok_or_else(|| Error::new(format!("the receipt has no id: {text}")))
        }
        500..=599 => Ok(PublishOutcome::Unknown),
        status => Err(Error::new(format!(
            "an event was refused with {status}: {text}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    const RECEIPT: &str = r#"{"result":{"data":{"matched":1,"id":"abc-7"}}}"#;

    /// Starts a node that sends these answers, one per connection, and returns the bodies of the
    /// requests.
    async fn node(answers: &[(u16, &str)]) -> (SocketAddr, JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut answers: VecDeque<_> = answers
            .iter()
            .map(|(status, text)| (*status, (*text).to_owned()))
            .collect();
        let serving = tokio::spawn(async move {
            let mut bodies = Vec::new();
            while let Some((status, text)) = answers.pop_front() {
                let (mut connection, _) = listener.accept().await.unwrap();
                bodies.push(body(&mut connection).await);
                // An answer that gets lost.
                if status == 0 {
                    continue;
                }
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}",
                    text.len()
                );
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
            bodies
        });
        (address, serving)
    }

    async fn body(connection: &mut tokio::net::TcpStream) -> Value {
        let mut text = String::new();
        loop {
            let mut bytes = [0; 4096];
            let count = connection.read(&mut bytes).await.unwrap();
            text.push_str(str::from_utf8(&bytes[..count]).unwrap());
            if let Some(value) = text
                .split("\r\n\r\n")
                .nth(1)
                .and_then(|body| serde_json::from_str(body).ok())
            {
                return value;
            }
        }
    }

    fn publisher(node: SocketAddr) -> Publisher {
        let population = Population::new(Seed::new(1), 10).unwrap();
        Publisher::new(Seed::new(1), Arc::new(population), vec![node])
    }

    #[tokio::test]
    async fn publish_retries_with_its_key_until_acknowledged() {
        let (address, serving) = node(&[(503, "{}"), (0, ""), (200, RECEIPT)]).await;
        let publisher = publisher(address);
        let id = publisher.fence().await.unwrap().unwrap();
        assert_eq!(id.to_id().to_string(), "abc-7");
        let bodies = serving.await.unwrap();
        assert_eq!(bodies.len(), 3);
        assert!(
            bodies
                .iter()
                .all(|body| body == &bodies[0] && body["key"].is_string()),
            "{bodies:?}"
        );
        let publications = publisher.publications();
        assert_eq!(
            (
                publications.len(),
                publications[0].tries,
                publisher.acknowledged()
            ),
            (1, 3, 1)
        );
        assert_eq!(
            publications[0]
                .acknowledged
                .as_ref()
                .map(|acknowledged| &acknowledged.id),
            Some(&id)
        );
    }

    #[tokio::test]
    async fn permanent_rejection_ends_the_run() {
        for answer in [
            (400, "what?"),
            (200, r#"{"result":{"data":{"matched":1}}}"#),
        ] {
            let (address, _serving) = node(&[answer]).await;
            let error = publisher(address).fence().await.unwrap_err().to_string();
            assert!(error.contains(answer.1), "{error}");
        }
    }

    #[tokio::test]
    async fn workers_publish_distinct_numbers_until_stopped() {
        let (address, _serving) = node(&[(200, RECEIPT); 20]).await;
        let mut publisher = publisher(address);
        publisher.start(1000);
        while publisher.acknowledged() < 10 {
            sleep(Duration::from_millis(1)).await;
        }
        publisher.stop.send_replace(true);
        let publications = publisher.publications();
        assert!(
            publications
                .iter()
                .enumerate()
                .all(|(index, event)| event.number == index as u64)
        );
    }
}
