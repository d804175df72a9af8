//! The sequencer against a model that runs operations one after the other.
//!
//! A test chooses the steps of sweeps, so any operation can run between two steps.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use proptest::{collection::vec, option, prelude::*, sample::Index};
use sse_testkit::Decoder;

use crate::{
    Event, Handshake, Manager, Receipt, Session, Target, Topic, UserId,
    config::Overflow,
    dialect::{farewell::Farewell, message::Message, reason::DisconnectReason},
    event::cursor::{LogPosition, Mark},
    id::client_id::ClientId,
    sequencer::{Sequenced, fanout::PendingBroadcast, liveness::LivenessCheck},
};

/// Number of users and of topics.
const NAMES: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Connect {
        user: Option<usize>,
        topics: BTreeSet<usize>,
    },
    Drop(Index),
    Join(Index, usize),
    Leave(Index, usize),
    Publish {
        target: Whom,
        except: Vec<Index>,
        long: bool,
    },
    /// Runs one step of an unfinished publish.
    Step {
        job: Index,
        budget: usize,
    },
    /// The client takes the waiting events.
    Take(Index),
    Kick(Index),
    /// A tick of the timer, which delivers pending events to every stream and sends none of its
    /// own.
    Tick {
        stride: u32,
    },
}

#[derive(Debug, Clone)]
enum Whom {
    All,
    User(usize),
    Topic(usize),
    Client(Index),
}

fn op() -> impl Strategy<Value = Op> {
    let whom = prop_oneof![
        3 => Just(Whom::All),
        2 => (0..NAMES).prop_map(Whom::User),
        4 => (0..NAMES).prop_map(Whom::Topic),
        1 => any::<Index>().prop_map(Whom::Client),
    ];
    let topics = proptest::collection::btree_set(0..NAMES, 0..NAMES);
    prop_oneof![
        5 => (option::of(0..NAMES), topics).prop_map(|(user, topics)| Op::Connect { user, topics }),
        2 => any::<Index>().prop_map(Op::Drop),
        3 => (any::<Index>(), 0..NAMES).prop_map(|(stream, topic)| Op::Join(stream, topic)),
        3 => (any::<Index>(), 0..NAMES).prop_map(|(stream, topic)| Op::Leave(stream, topic)),
        6 => (whom, vec(any::<Index>(), 0..3), prop::bool::weighted(0.2))
            .prop_map(|(target, except, long)| Op::Publish { target, except, long }),
        8 => (any::<Index>(), 1_usize..6).prop_map(|(job, budget)| Op::Step { job, budget }),
        1 => any::<Index>().prop_map(Op::Take),
        1 => any::<Index>().prop_map(Op::Kick),
        1 => (1_u32..4).prop_map(|stride| Op::Tick { stride }),
    ]
}

type IsIn = Box<dyn Fn(&ModelClient) -> bool>;

/// A stream, and the events it is expected to receive.
struct ModelClient {
    id: ClientId,
    /// `None` once the session was dropped.
    session: Option<Session>,
    user: Option<usize>,
    topics: BTreeSet<usize>,
    /// `true` while the stream is registered.
    live: bool,
    expected: Vec<String>,
    got: Vec<String>,
}

impl ModelClient {
    fn take(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let mut decoder = Decoder::new();
        while let Poll::Ready(Some(buffer)) =
            Pin::new(&mut *session).poll_next(&mut Context::from_waker(Waker::noop()))
        {
            let events = decoder
                .feed(&buffer)
                .into_iter()
                .filter(|event| event.event_type != "connection");
            self.got
                .extend(events.map(|event| match event.event_type.as_str() {
                    "system" => "end".to_owned(),
                    _ => event.data.trim_end_matches('x').to_owned(),
                }));
        }
    }
}

struct World {
    manager: Manager,
    clients: Vec<ModelClient>,
    jobs: Vec<(Arc<PendingBroadcast>, u32)>,
    published: u64,
}

impl World {
    fn new(manager: Manager) -> Self {
        Self {
            manager,
            clients: Vec::new(),
            jobs: Vec::new(),
            published: 0,
        }
    }

    fn live(&self, at: &Index) -> Option<usize> {
        let live: Vec<_> = (0..self.clients.len())
            .filter(|client| self.clients[*client].live)
            .collect();
        (!live.is_empty()).then(|| live[at.index(live.len())])
    }

    fn act(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Connect { user, topics } => self.connect(*user, topics),
            Op::Drop(at) if !self.clients.is_empty() => {
                let count = self.clients.len();
                let client = &mut self.clients[at.index(count)];
                client.take();
                // Events that no step has delivered yet are lost with the stream.
                prop_assert!(client.expected.starts_with(&client.got), "{:?}", client.got);
                client.session = None;
                client.live = false;
                client.expected.clone_from(&client.got);
            }
            Op::Join(at, topic) => {
                if let Some(client) = self.live(at) {
                    let client = &mut self.clients[client];
                    let joined = self.manager.join(client.id, &topic_of(*topic));
                    prop_assert_eq!(joined.is_ok(), client.topics.insert(*topic));
                }
            }
            Op::Leave(at, topic) => {
                if let Some(client) = self.live(at) {
                    let client = &mut self.clients[client];
                    let left = self.manager.leave(client.id, &topic_of(*topic));
                    prop_assert_eq!(left.is_ok(), client.topics.remove(topic));
                }
            }
            Op::Publish {
                target,
                except,
                long,
            } => self.publish(target, except, *long)?,
            Op::Step { job, budget } if !self.jobs.is_empty() => {
                let at = job.index(self.jobs.len());
                self.step(at, *budget);
            }
            Op::Take(at) if !self.clients.is_empty() => {
                let count = self.clients.len();
                self.clients[at.index(count)].take();
            }
            Op::Kick(at) => {
                if let Some(client) = self.live(at) {
                    self.kick(client);
                }
            }
            Op::Tick { stride } => self.tick(*stride),
            Op::Drop(_) | Op::Step { .. } | Op::Take(_) => {}
        }
        let live = self.clients.iter().filter(|client| client.live);
        let users: BTreeSet<_> = live.clone().filter_map(|client| client.user).collect();
        let stats = self.manager.stats();
        prop_assert_eq!(
            (stats.total_connections, stats.unique_users),
            (live.count(), users.len())
        );
        Ok(())
    }

    fn connect(&mut self, user: Option<usize>, topics: &BTreeSet<usize>) {
        let mut handshake = Handshake::new();
        if let Some(user) = user {
            handshake = handshake.user(user_of(user));
        }
        let handshake = topics.iter().fold(handshake, |handshake, topic| {
            handshake.topic(topic_of(*topic))
        });
        let session = self
            .manager
            .connect(handshake)
            .expect("the stream is accepted");
        self.clients.push(ModelClient {
            id: session.client_id(),
            session: Some(session),
            user,
            topics: topics.clone(),
            live: true,
            expected: Vec::new(),
            got: Vec::new(),
        });
    }

    fn publish(&mut self, whom: &Whom, except: &[Index], long: bool) -> Result<(), TestCaseError> {
        let count = self.clients.len();
        let except: Vec<_> = except
            .iter()
            .filter(|_| count > 0)
            .map(|at| at.index(count))
            .collect();
        let (target, is_in): (Target, IsIn) = match *whom {
            Whom::All => (Target::All, Box::new(|_| true)),
            Whom::User(user) => (
                user_of(user).into(),
                Box::new(move |client| client.user == Some(user)),
            ),
            Whom::Topic(topic) => (
                topic_of(topic).into(),
                Box::new(move |client| client.topics.contains(&topic)),
            ),
            Whom::Client(_) if count == 0 => return Ok(()),
            Whom::Client(at) => {
                let id = self.clients[at.index(count)].id;
                (id.into(), Box::new(move |client| client.id == id))
            }
        };
        self.published += 1;
        let text = self.published.to_string();
        let mut matched = 0;
        for (at, client) in self.clients.iter_mut().enumerate() {
            if client.live && is_in(client) && !except.contains(&at) {
                client.expected.push(text.clone());
                matched += 1;
            }
        }
        let ids: Vec<_> = except.iter().map(|at| self.clients[*at].id).collect();
        let data = if long { text + &"x".repeat(300) } else { text };
        let message = Message::new(
            Event::text(data),
            None,
            Mark::Unlogged(LogPosition::default()),
        );
        let inner = &self.manager.inner;
        let placed =
            inner.with_sequencer(|sequencer, tx| sequencer.publish(&target, &ids, message, tx));
        let receipt = match placed {
            Sequenced::Done(receipt) => receipt,
            Sequenced::Sweeping(job, receipt) => {
                self.jobs.push((job, 0));
                receipt
            }
        };
        prop_assert_eq!(receipt, Receipt::matched(matched));
        Ok(())
    }

    fn step(&mut self, at: usize, budget: usize) {
        let (job, cursor) = &mut self.jobs[at];
        let inner = &self.manager.inner;
        if inner.with_sequencer(|sequencer, tx| sequencer.sweep(job, cursor, budget, tx)) {
            self.jobs.remove(at);
        }
    }

    fn kick(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let inner = &self.manager.inner;
        let ended = inner.with_sequencer(|sequencer, tx| {
            let place = sequencer
                .registry
                .place(client.id)
                .expect("the stream is open");
            sequencer.end(place, Farewell::new(DisconnectReason::Kicked), tx)
        });
        assert!(ended);
        client.live = false;
        client.expected.push("end".to_owned());
    }

    fn tick(&mut self, stride: u32) {
        let inner = &self.manager.inner;
        let never = std::time::Duration::MAX;
        inner.with_sequencer(|sequencer, tx| {
            let exam = LivenessCheck {
                uptime_ms: 0,
                quiet: None,
                stalled: never,
                age_slack: std::time::Duration::ZERO,
                heartbeat: &|_, _| None,
            };
            sequencer.check_liveness(&exam, &mut 0, stride, u32::MAX, tx)
        });
    }

    fn finish(&mut self, steps: &[Index]) {
        let mut steps = steps.iter().cycle();
        while !self.jobs.is_empty() {
            let at = steps.next().map_or(0, |at| at.index(self.jobs.len()));
            self.step(at, 2);
        }
        self.clients.iter_mut().for_each(ModelClient::take);
    }
}

fn user_of(user: usize) -> UserId {
    UserId::new(format!("user {user}")).expect("the name is valid")
}

fn topic_of(topic: usize) -> Topic {
    Topic::new(format!("topic {topic}")).expect("the name is valid")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_stream_receives_exactly_its_events_in_order(
        ops in vec(op(), 0..120),
        steps in vec(any::<Index>(), 1..20),
    ) {
        let mut world = World::new(Manager::builder().build().unwrap());
        for op in &ops {
            world.act(op)?;
        }
        world.finish(&steps);
        for (number, client) in world.clients.iter().enumerate() {
            prop_assert_eq!(&client.got, &client.expected, "client {}", number);
        }
        world.clients.clear();
        let stats = world.manager.stats();
        prop_assert_eq!((stats.total_connections, stats.unique_users, stats.ending), (0, 0, 0));
        prop_assert_eq!(stats.counters.published, world.published);
        prop_assert_eq!(stats.counters.dropped, 0);
    }

    /// With queues that overflow, a stream receives a prefix of its expected events, then a gap and
    /// the end.
    #[test]
    fn overflowing_stream_gets_a_prefix_and_a_gap(
        ops in vec(op(), 0..120),
        steps in vec(any::<Index>(), 1..20),
        frames in 1_usize..6,
    ) {
        let builder = Manager::builder().queue(frames, 1024).overflow(Overflow::Disconnect);
        let mut world = World::new(builder.build().unwrap());
        for op in &ops {
            // The model does not know which streams overflow, so its list of live streams can be
            // wrong.
            if !matches!(op, Op::Join(..) | Op::Leave(..) | Op::Kick(_) | Op::Drop(_)) {
                let _ = world.act(op);
            }
        }
        world.finish(&steps);
        for (number, client) in world.clients.iter().enumerate() {
            let ends = client.got.iter().filter(|event| *event == "end").count();
            let events = &client.got[..client.got.len() - ends];
            prop_assert!(client.expected.starts_with(events), "client {}: {:?}", number, client.got);
            // A gap and the farewell, or no event at all.
            let whole = events.len() == client.expected.len();
            prop_assert!(ends == 2 || (ends == 0 && whole), "client {}: {:?}", number, client.got);
        }
    }
}
