//! Every returning client has its share of the reads, whatever other clients do.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sse_core::{Event, Handshake, Manager, Retention, backplane::MemoryBackplane};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::time::{Instant, sleep};

use crate::{
    nodes::node_holding,
    support::{Client, data, from, name},
};

/// Number of entries in the log: sixteen pages of a read, of which the node holds ten entries.
const ENTRIES: u64 = 16_000;

/// Number of entries that a read returns.
const PAGE: u64 = 1024;

/// Interval at which clients take waiting events.
const TURN: Duration = Duration::from_millis(2);

struct Log {
    way: ScriptedBackplane,
    manager: Manager,
    epoch: String,
}

/// Creates a log in which every hundredth entry is for every stream.
async fn log() -> Log {
    let way = ScriptedBackplane::new(MemoryBackplane::new(Retention::default().entries(100_000)));
    let manager = node_holding(way.clone(), Retention::default().entries(10)).await;
    for number in 1..=ENTRIES {
        let event = Event::text(number.to_string());
        if number % 100 == 0 {
            manager.all().publish(event).await.unwrap();
        } else {
            manager.topic("others").publish(event).await.unwrap();
        }
    }
    let epoch = manager.log_stats().unwrap().head.epoch.to_string();
    Log {
        way,
        manager,
        epoch,
    }
}

impl Log {
    /// Creates another node.
    async fn another(&self) -> Self {
        let manager = node_holding(self.way.clone(), Retention::default().entries(10)).await;
        Self {
            way: self.way.clone(),
            manager,
            epoch: self.epoch.clone(),
        }
    }

    fn at(&self, position: u64) -> Handshake {
        from(&format!("{}-{position}", self.epoch))
    }

    fn due(position: u64) -> Vec<String> {
        (position + 1..=ENTRIES)
            .filter(|number| number % 100 == 0)
            .map(|number| number.to_string())
            .collect()
    }

    /// Lets a client return, while other clients take events. Returns the number of reads and the
    /// time until the client has everything.
    async fn returns(
        &self,
        handshake: Handshake,
        position: u64,
        others: &mut Others,
    ) -> (u32, Duration) {
        let (reads, start) = (self.way.reads(), Instant::now());
        let mut client = Client::connect(&self.manager, handshake);
        let due = Self::due(position);
        let mut came = Vec::new();
        loop {
            let events = client.take();
            assert!(
                !events.iter().any(|event| name(event) == "gap"),
                "{events:?}"
            );
            came.extend(data(&events).into_iter().map(str::to_owned));
            if came.len() >= due.len() {
                assert_eq!(came, due);
                return (self.way.reads() - reads, start.elapsed());
            }
            others.act(self);
            sleep(TURN).await;
            assert!(
                start.elapsed() < Duration::from_secs(600),
                "{} of {}",
                came.len(),
                due.len()
            );
        }
    }
}

/// Streams that return to random positions again and again.
struct Others {
    random: StdRng,
    clients: Vec<Client>,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Streams of one user.
    User(usize),
    /// Anonymous streams of one address.
    Address(usize),
}

impl Others {
    fn none() -> Self {
        Self {
            random: StdRng::seed_from_u64(0),
            clients: Vec::new(),
            shape: Shape::User(0),
        }
    }

    fn new(log: &Log, shape: Shape, seed: u64) -> Self {
        let (Shape::User(count) | Shape::Address(count)) = shape;
        let mut others = Self {
            random: StdRng::seed_from_u64(seed),
            clients: Vec::new(),
            shape,
        };
        for _ in 0..count {
            let client = others.connect(log);
            others.clients.push(client);
        }
        others
    }

    fn connect(&mut self, log: &Log) -> Client {
        let handshake = log.at(self.random.random_range(0..ENTRIES - PAGE));
        let handshake = match self.shape {
            Shape::User(_) => handshake.user("greedy"),
            Shape::Address(_) => handshake.address([192, 0, 2, 7].into()),
        };
        Client::connect(&log.manager, handshake.topic("rare"))
    }

    fn act(&mut self, log: &Log) {
        for at in 0..self.clients.len() {
            self.clients[at].take();
            if self.random.random_bool(0.01) {
                self.clients[at] = self.connect(log);
            }
        }
    }
}

/// A return costs at most twice the reads and twice the time of an undisturbed return.
#[tokio::test(start_paused = true)]
async fn return_costs_at_most_twice_the_undisturbed_cost() {
    let log = log().await;
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let latency = Duration::from_millis([5, 40, 300][random.random_range(0..3)]);
        log.way.set_read_latency(latency);
        let shape =
            [Shape::User(20), Shape::User(500), Shape::Address(100)][random.random_range(0..3)];
        let position = [
            ENTRIES - 500,
            ENTRIES - 5000,
            random.random_range(0..ENTRIES - 11),
        ][random.random_range(0..3)];
        // A separate node for each, so that the reads of one do not shorten the other.
        let fresh = log.another().await;
        let victim = |log: &Log| log.at(position).user("patient");
        let (alone, time_alone) = fresh
            .returns(victim(&fresh), position, &mut Others::none())
            .await;
        let other = log.another().await;
        let mut others = Others::new(&other, shape, seed);
        for _ in 0..50 {
            others.act(&other);
            sleep(TURN).await;
        }
        let (reads, time) = other.returns(victim(&other), position, &mut others).await;
        let reported = format!(
            "seed {seed}, {shape:?}, {latency:?}, from {position}: {alone} reads in {time_alone:?} alone, {reads} in {time:?}"
        );
        assert!(reads <= 2 * alone + 1, "{reported}");
        assert!(
            time <= 2 * time_alone + latency + 3 * TURN * alone,
            "{reported}"
        );
    }
}

/// One pass over the log for clients that left together, and two passes for clients at any
/// positions.
#[tokio::test(start_paused = true)]
async fn simultaneous_returns_read_the_log_about_once() {
    let log = log().await;
    log.way.set_read_latency(Duration::from_millis(5));
    let mut random = StdRng::seed_from_u64(7);
    for (users, passes) in [(1, 1), (900, 1), (1, 2), (50, 2), (900, 2)] {
        let manager = log.another().await.manager;
        let reads = log.way.reads();
        let furthest = if passes == 1 { 100 } else { ENTRIES - 10 };
        let places: Vec<_> = (0..900).map(|_| random.random_range(0..furthest)).collect();
        let clients = (0..).zip(&places);
        let mut clients: Vec<_> = clients
            .map(|(number, place)| {
                let user = format!("{}", number % users);
                Client::connect(&manager, log.at(*place).user(user.as_str()))
            })
            .collect();
        let mut counts = vec![0; clients.len()];
        for _ in 0..1000 {
            for (client, count) in clients.iter_mut().zip(&mut counts) {
                *count += data(&client.take()).len();
            }
            sleep(TURN).await;
        }
        for (place, count) in places.iter().zip(counts) {
            assert_eq!(count, Log::due(*place).len(), "from {place}");
        }
        let (reads, once) = (log.way.reads() - reads, ENTRIES.div_ceil(PAGE));
        assert!(
            u64::from(reads) <= passes * once + 1,
            "{reads} reads by {users} users; {once} reads cover the log"
        );
    }
}

/// The pages that one user has read do not evict the pages of other users from memory.
#[tokio::test(start_paused = true)]
async fn greedy_reader_does_not_evict_pages_of_others() {
    let log = log().await;
    let position = ENTRIES - 600;
    log.returns(
        log.at(position).user("patient"),
        position,
        &mut Others::none(),
    )
    .await;
    // More than the memory holds, at positions that do not overlap.
    let mut others = Others::new(&log, Shape::User(1), 1);
    for place in 0..110 {
        let mut client = Client::connect(&log.manager, log.at(place * 140).user("greedy"));
        for _ in 0..40 {
            client.take();
            sleep(TURN).await;
        }
    }
    let (reads, _) = log
        .returns(log.at(position).user("patient"), position, &mut others)
        .await;
    assert!(reads <= 1, "pages were evicted: {reads} reads");
}

/// A stream without events for a long time takes a bounded part of each turn.
#[tokio::test(start_paused = true)]
async fn rare_topic_costs_one_read_per_page() {
    let log = log().await;
    let topics = (0..60).map(|number| format!("rare {number}"));
    let handshake = topics.fold(log.at(0).user("patient"), |handshake, topic| {
        handshake.topic(topic.as_str())
    });
    let (reads, _) = log.returns(handshake, 0, &mut Others::none()).await;
    assert!(u64::from(reads) <= ENTRIES.div_ceil(PAGE), "{reads}");
}
