//! A model test: after any sequence of events, every node has the true state once it is quiet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use sse_core::{Session, backplane::MemoryBackplane};
use tokio::time::{sleep, timeout};

use crate::support::{Heard, Node, memory};

#[derive(Debug, Clone)]
enum Step {
    Connect { node: usize, user: u8 },
    Disconnect { which: usize },
    LoseSignals { node: usize, signals: u32 },
    Cut { node: usize },
    Away { node: usize },
    Back { node: usize },
    Crash { node: usize },
    Leave { node: usize },
    Wait { milliseconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..3_usize;
    prop_oneof![
        6 => (node.clone(), 0..6_u8).prop_map(|(node, user)| Step::Connect { node, user }),
        5 => (0..100_usize).prop_map(|which| Step::Disconnect { which }),
        2 => (node.clone(), 1..5_u32).prop_map(|(node, signals)| Step::LoseSignals { node, signals }),
        1 => node.clone().prop_map(|node| Step::Cut { node }),
        1 => node.clone().prop_map(|node| Step::Away { node }),
        1 => node.clone().prop_map(|node| Step::Back { node }),
        1 => node.clone().prop_map(|node| Step::Crash { node }),
        1 => node.prop_map(|node| Step::Leave { node }),
        6 => (1..8000_u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

/// Three slots for nodes, and the streams on them.
struct World {
    memory: MemoryBackplane,
    nodes: Vec<Node>,
    streams: Vec<(usize, Session)>,
    /// The users that each node's hooks have reported since its start.
    reported: Vec<BTreeMap<String, bool>>,
}

impl World {
    async fn new() -> Self {
        let memory = memory();
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Node::start(&memory).await);
        }
        Self {
            memory,
            nodes,
            streams: Vec::new(),
            reported: vec![BTreeMap::new(); 3],
        }
    }

    async fn play(&mut self, step: Step) {
        match step {
            Step::Connect { node, user } => {
                let stream = self.nodes[node].connect(&format!("u{user}"));
                self.streams.push((node, stream));
            }
            Step::Disconnect { which } if !self.streams.is_empty() => {
                let which = which % self.streams.len();
                drop(self.streams.swap_remove(which));
            }
            Step::Disconnect { .. } => {}
            Step::LoseSignals { node, signals } => self.nodes[node].way.lose_signals(signals),
            Step::Cut { node } => self.nodes[node].way.cut(),
            Step::Away { node } => self.nodes[node].way.set_away(true),
            Step::Back { node } => self.nodes[node].way.set_away(false),
            Step::Crash { node } => {
                let fresh = Node::start(&self.memory).await;
                self.replace(node, fresh).crash();
            }
            Step::Leave { node } => {
                let fresh = Node::start(&self.memory).await;
                self.replace(node, fresh).cluster.shutdown().await;
            }
            Step::Wait { milliseconds } => sleep(Duration::from_millis(milliseconds)).await,
        }
        self.listen();
    }

    fn replace(&mut self, node: usize, fresh: Node) -> Node {
        self.streams.retain(|(on, _)| *on != node);
        self.reported[node].clear();
        std::mem::replace(&mut self.nodes[node], fresh)
    }

    /// Checks that the hooks of a node alternate between `online` and `offline` for each user.
    fn listen(&mut self) {
        for (node, reported) in self.nodes.iter().zip(&mut self.reported) {
            for (user, is_online) in Heard::in_order(&node.heard) {
                let was = reported.insert(user.clone(), is_online).unwrap_or(false);
                assert_ne!(was, is_online, "a hook was called twice for {user}");
            }
        }
    }

    fn truth(&self) -> BTreeMap<String, usize> {
        let mut truth = BTreeMap::new();
        for (_, stream) in &self.streams {
            *truth
                .entry(stream.user_id().unwrap().to_string())
                .or_default() += 1;
        }
        truth
    }

    async fn check(&mut self) {
        for node in &self.nodes {
            node.way.set_away(false);
            node.way.lose_signals(0);
        }
        sleep(Duration::from_secs(60)).await;
        self.listen();
        let truth = self.truth();
        let users: BTreeSet<_> = truth.keys().cloned().collect();
        for (node, reported) in self.nodes.iter().zip(&self.reported) {
            node.sees(self.streams.len(), truth.len(), 3);
            assert_eq!(
                node.by_user().await.into_iter().collect::<BTreeMap<_, _>>(),
                truth
            );
            let online = reported.iter().filter(|(_, is_online)| **is_online);
            assert_eq!(
                online
                    .map(|(user, _)| user.clone())
                    .collect::<BTreeSet<_>>(),
                users
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nodes_converge_to_actual_state(steps in vec(step(), 0..40)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            // In paused time this is a day of waiting, however slow the machine is.
            timeout(Duration::from_secs(86_400), async {
                for step in steps {
                    world.play(step).await;
                }
                world.check().await;
            })
            .await
            .unwrap();
        });
    }
}
