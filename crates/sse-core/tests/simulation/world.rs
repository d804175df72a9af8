//! The simulated world, and its events.

use std::{cell::RefCell, rc::Rc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sse_core::{
    Event, Manager, Retention, Target, Topic, UserId,
    backplane::{Backplane, Cursor, Epoch, MemoryBackplane},
    config::Overflow,
};
use sse_testkit::backplane::{ReadFault, ScriptedBackplane};
use tokio::{
    task::{LocalSet, spawn_local},
    time::sleep,
};

use crate::{
    client::{Client, Received},
    oracle::{self, Published, Totals},
};

const NODES: usize = 3;
const CLIENTS: usize = 6;
const STEPS: usize = 120;
const NAMES: usize = 3;

/// Longer than the detection and the repair of any failure.
const AT_LEAST: Duration = Duration::from_secs(40);

/// Damage occurs twice, because only damage and long failures become gaps.
const FAULTS: [ReadFault; 6] = [
    ReadFault::Damaged,
    ReadFault::Damaged,
    ReadFault::Refused,
    ReadFault::Unavailable,
    ReadFault::Silent,
    ReadFault::Empty,
];

struct Node {
    manager: Manager,
    way: ScriptedBackplane,
}

struct World {
    random: StdRng,
    seed: u64,
    tells: bool,
    memory: MemoryBackplane,
    /// Epochs of the log.
    epochs: Vec<Epoch>,
    nodes: Vec<Option<Node>>,
    clients: Vec<Client>,
    published: Rc<RefCell<Vec<Published>>>,
    /// Severity of the failures in this world.
    mood: Mood,
}

/// Probabilities and sizes of a world.
#[derive(Debug, Clone, Copy)]
struct Mood {
    loses_logs: bool,
    window: usize,
    retention: usize,
    batch: usize,
    /// Maximum number of frames that wait for a stream.
    queue: usize,
    /// Number of entries that one read of the log returns.
    page: usize,
}

/// Plays a seed to its end.
pub(crate) fn play(seed: u64, tells: bool) -> Totals {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("the runtime builds");
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new(seed, tells);
        world.note_epoch().await;
        for _ in 0..STEPS {
            world.step().await;
        }
        world.heal().await;
        let published = world.published.borrow();
        oracle::check(&world.clients, &published, &world.epochs)
    })
}

fn user(number: usize) -> UserId {
    UserId::new(format!("user {number}")).expect("the name is valid")
}

fn topic(number: usize) -> Topic {
    Topic::new(format!("topic {number}")).expect("the name is valid")
}

impl World {
    fn new(seed: u64, tells: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mood = Mood {
            loses_logs: random.random_bool(0.25),
            window: [5, 40, 10_000][random.random_range(0..3)],
            retention: [30, 150, 10_000, 10_000, 10_000][random.random_range(0..5)],
            batch: [1, 3, 25][random.random_range(0..3)],
            queue: [4, 256][random.random_range(0..2)],
            page: [2, 10, 1000][random.random_range(0..3)],
        };
        let clients = (0..CLIENTS).map(|number| {
            let topics = (0..NAMES)
                .filter(|_| random.random_bool(0.4))
                .map(topic)
                .collect();
            let overflow = if number % 2 == 0 {
                Overflow::Disconnect
            } else {
                Overflow::DropOldest
            };
            Client::new(user(number % NAMES), topics, overflow)
        });
        let clients = clients.collect();
        let memory = MemoryBackplane::new(Retention::default().entries(mood.retention));
        let mut world = Self {
            random,
            seed,
            tells,
            memory,
            epochs: Vec::new(),
            nodes: Vec::new(),
            clients,
            published: Rc::default(),
            mood,
        };
        world.tell(|| format!("{mood:?}"));
        for number in 0..NODES {
            let node = world.start(number);
            world.nodes.push(Some(node));
        }
        world
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:?} {}", tokio::time::Instant::now(), what());
        }
    }

    fn start(&self, number: usize) -> Node {
        let way = ScriptedBackplane::new(self.memory.clone());
        way.limit_pages(self.mood.page);
        let manager = Manager::builder()
            .backplane(way.clone())
            .log(Retention::default().entries(self.mood.window))
            .queue(self.mood.queue, 1 << 20)
            .seed(self.seed ^ number as u64)
            .build()
            .expect("the settings are valid");
        manager.follow();
        Node { manager, way }
    }

    async fn step(&mut self) {
        let node = self.random.random_range(0..NODES);
        let client = self.random.random_range(0..CLIENTS);
        match self.random.random_range(0..100) {
            0..30 => {
                for _ in 0..self.random.random_range(1..=self.mood.batch) {
                    self.publish(node);
                }
            }
            30..45 => self.connect(client, node),
            45..52 => {
                self.tell(|| format!("client {client} is cut"));
                self.clients[client].cut();
            }
            52..70 => {
                let buffers = [1, 2, 100][self.random.random_range(0..3)];
                self.clients[client].take(buffers);
            }
            70..85 => {
                let longest = [2, 200, 8000][self.random.random_range(0..3)];
                sleep(Duration::from_millis(self.random.random_range(0..longest))).await;
            }
            85..97 => self.disturb(node).await,
            _ => self.kill_or_start(node),
        }
        tokio::task::yield_now().await;
    }

    async fn note_epoch(&mut self) {
        let epoch = self
            .memory
            .bounds()
            .await
            .expect("memory does not fail")
            .epoch;
        self.epochs.push(epoch);
    }

    fn connect(&mut self, client: usize, node: usize) {
        let Some(Node { manager, .. }) = &self.nodes[node] else {
            return;
        };
        let accepted = self.clients[client].connect(node, manager);
        let id = self.clients[client].last_id.clone();
        self.tell(|| format!("client {client} connects to node {node} with {id:?}: {accepted}"));
    }

    fn publish(&mut self, node: usize) {
        let Some(Node { manager, .. }) = &self.nodes[node] else {
            return;
        };
        let number = self.published.borrow().len();
        let target = match self.random.random_range(0..3) {
            0 => Target::All,
            1 => Target::User(user(self.random.random_range(0..NAMES))),
            _ => Target::Topic(topic(self.random.random_range(0..NAMES))),
        };
        let mut event = Event::text(number.to_string());
        let is_logged = !self.random.random_bool(0.1);
        if !is_logged {
            event = event.ephemeral();
        } else if self.random.random_bool(0.3) {
            event = event.with_retry_for(Duration::from_secs(self.random.random_range(1..20)));
        }
        self.tell(|| format!("event {number} for {target:?} at node {node}, logged: {is_logged}"));
        self.published.borrow_mut().push(Published {
            target: target.clone(),
            is_logged,
            cursor: None,
        });
        let (manager, published) = (manager.clone(), Rc::clone(&self.published));
        spawn_local(async move {
            // The log has an unacknowledged event or not.
            if let Ok(receipt) = manager.publish(target, event).await {
                let cursor = receipt
                    .id
                    .map(|id| id.as_str().parse::<Cursor>().expect("ids are cursors"));
                published.borrow_mut()[number].cursor = cursor;
            }
        });
    }

    async fn disturb(&mut self, node: usize) {
        let Some(Node { way, .. }) = &self.nodes[node] else {
            return;
        };
        let what = self.random.random_range(0..12);
        self.tell(|| format!("disturbance {what} at node {node}"));
        match what {
            0 => way.set_away(true),
            1 | 2 => way.set_away(false),
            3 => way.cut(),
            4 => way.lose_answers(self.random.random_range(1..4)),
            5 => way.fail_appends(self.random.random_range(1..4)),
            6 => {
                let delays =
                    (0..10).map(|_| Duration::from_millis(self.random.random_range(0..3000)));
                way.delay(delays);
            }
            8..=10 => {
                let head = self
                    .memory
                    .bounds()
                    .await
                    .expect("memory does not fail")
                    .head
                    .minor();
                // Usually at a position with which a client can return: other positions are rarely
                // read.
                let places = self
                    .clients
                    .iter()
                    .filter_map(|client| client.last_id.parse::<Cursor>().ok());
                let places: Vec<_> = places.map(|at| at.position.minor().min(head)).collect();
                let place = places
                    .choose(&mut self.random)
                    .copied()
                    .filter(|_| self.random.random_bool(0.8));
                let from = place.unwrap_or_else(|| self.random.random_range(0..=head));
                let to = self.random.random_range(from..=head.min(from + 100));
                let fault = FAULTS[self.random.random_range(0..FAULTS.len())];
                // Damage of an entry affects every node.
                let is_for_all = fault == ReadFault::Damaged;
                for (number, it) in self.nodes.iter().enumerate() {
                    if let Some(it) = it.as_ref().filter(|_| is_for_all || number == node) {
                        it.way.break_reads(from.into()..to.into(), fault);
                    }
                }
            }
            11 => way.mend_reads(),
            _ if !self.mood.loses_logs => {}
            _ => {
                if self.random.random_bool(0.3) {
                    self.memory.clear();
                } else {
                    self.memory.lose_latest(self.random.random_range(1..20));
                }
                self.note_epoch().await;
            }
        }
    }

    fn kill_or_start(&mut self, node: usize) {
        if self.nodes[node].take().is_some() {
            self.tell(|| format!("node {node} is gone"));
            for client in self
                .clients
                .iter_mut()
                .filter(|client| client.node() == Some(node))
            {
                client.cut();
            }
        } else {
            self.tell(|| format!("node {node} starts"));
            self.nodes[node] = Some(self.start(node));
        }
    }

    /// Ends all failures; every client returns and takes all events.
    async fn heal(&mut self) {
        self.tell(|| "everything is mended".to_owned());
        for number in 0..NODES {
            match &self.nodes[number] {
                Some(node) => {
                    node.way.set_away(false);
                    node.way.lose_answers(0);
                    node.way.fail_appends(0);
                    node.way.mend_reads();
                    node.way.end_delays();
                }
                None => self.nodes[number] = Some(self.start(number)),
            }
        }
        sleep(AT_LEAST).await;
        for client in 0..CLIENTS {
            let node = self.random.random_range(0..NODES);
            self.connect(client, node);
            assert!(
                self.clients[client].node().is_some(),
                "node {node} rejects client {client}"
            );
        }
        // A client takes one page a round.
        let (mut idle, mut rounds) = (0, 0);
        while idle < 10 {
            rounds += 1;
            assert!(rounds < 1000, "streams never become idle");
            sleep(Duration::from_secs(1)).await;
            let before = self.received();
            self.clients
                .iter_mut()
                .for_each(|client| client.take(usize::MAX));
            idle = if self.received() == before {
                idle + 1
            } else {
                0
            };
        }
    }

    /// Counts everything that clients received, without heartbeats.
    fn received(&self) -> usize {
        let is_heartbeat =
            |received: &&Received| **received == Received::Other("heartbeat".to_owned());
        self.clients
            .iter()
            .flat_map(|client| &client.received)
            .filter(|received| !is_heartbeat(received))
            .count()
    }
}
