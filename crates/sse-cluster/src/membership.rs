//! The known state of all nodes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sse_core::UserId;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{
    messages::{Report, Summary},
    node::{Count, KnownNode, ReportKind, SyncState},
    node_id::NodeId,
    presence::Presence,
    sharded_map::{SHARDS, ShardedMap},
};

/// Maximum number of nodes. Further nodes are ignored.
const MOST_NODES: usize = 4096;

/// Timeout for a list of all users, after which a silent node is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The known state of all nodes, including this one.
#[derive(Debug)]
pub(crate) struct Membership {
    me: NodeId,
    nodes: BTreeMap<NodeId, KnownNode>,
    pub(crate) presence: Presence,
    /// Users of departed nodes, and the next shard to be removed from `presence`.
    departed: Vec<(ShardedMap<Count>, usize)>,
    /// Time of the last check of leases.
    checked_at: Option<Instant>,
}

/// The action that a report requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// The node must be asked for a list of all its users.
    Ask,
    /// Users must be removed by [`tidy`](Membership::tidy).
    Tidy,
}

impl Membership {
    pub(crate) fn new(me: NodeId, name: Option<Arc<str>>, grace: Option<Duration>) -> Self {
        let mut own = KnownNode::new(Instant::now());
        own.name = name;
        own.new_since = None;
        let nodes = BTreeMap::from([(me, own)]);
        Self {
            me,
            nodes,
            presence: Presence::new(grace),
            departed: Vec::new(),
            checked_at: None,
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &KnownNode)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    /// Returns all nodes but this one.
    pub(crate) fn others(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied().filter(|id| *id != self.me)
    }

    pub(crate) fn own(&self) -> Option<&KnownNode> {
        self.nodes.get(&self.me)
    }

    /// Returns `true` if the list of nodes is current.
    pub(crate) fn knows_nodes(&self, term: Duration) -> bool {
        self.checked_at
            .is_some_and(|checked_at| checked_at.elapsed() <= term)
    }

    /// Applies a report of a node's users.
    pub(crate) fn report(&mut self, from: NodeId, report: &Report, now: Instant) -> Action {
        if !self.nodes.contains_key(&from) && self.nodes.len() >= MOST_NODES {
            warn!(node = %from, "ignored a node: the maximum of {MOST_NODES} nodes is reached");
            return Action::Nothing;
        }
        let node = self
            .nodes
            .entry(from)
            .or_insert_with(|| KnownNode::new(now));
        match node.take(report) {
            ReportKind::Old => return Action::Nothing,
            ReportKind::Early => return Action::Ask,
            ReportKind::Next => {}
        }
        (node.streams, node.as_of) = (report.streams, now);
        let generation = node.generation;
        for (user, streams) in &report.users {
            let before = match *streams {
                0 => node.users.remove(user),
                streams => node.users.insert(
                    user.clone(),
                    Count {
                        streams,
                        generation,
                    },
                ),
            };
            self.presence
                .change(user, before.map_or(0, |count| count.streams), *streams, now);
        }
        let counted = report.unique_users.filter(|_| node.is_current());
        if counted.is_some_and(|users| users != node.users.len() as u64) {
            warn!(node = %from, known = node.users.len(), ?counted, "detected a wrong number of users: requesting the list of users");
            node.lose();
            return Action::Ask;
        }
        if matches!(node.state, SyncState::Sweeping(_)) {
            Action::Tidy
        } else {
            Action::Nothing
        }
    }

    /// Removes a node.
    pub(crate) fn remove(&mut self, id: NodeId) {
        if id == self.me {
            return;
        }
        if let Some(node) = self.nodes.remove(&id) {
            info!(node = %id, name = node.name.as_deref(), streams = node.streams, "node departed");
            self.departed.push((node.users, 0));
        }
    }

    /// Marks all other nodes as outdated, because signals may have been missed.
    pub(crate) fn missed(&mut self) {
        let me = self.me;
        self.nodes
            .iter_mut()
            .filter(|(id, _)| **id != me)
            .for_each(|(_, node)| node.lose());
    }

    /// Applies a list of leases. Nodes without a lease are removed, unless they were first seen
    /// within the term.
    pub(crate) fn leases(
        &mut self,
        leases: &BTreeMap<NodeId, Summary>,
        term: Duration,
        now: Instant,
    ) {
        self.checked_at = Some(now);
        let is_departed = |(id, node): &(&NodeId, &KnownNode)| {
            let is_new = node
                .new_since
                .is_some_and(|since| now.duration_since(since) < term);
            !leases.contains_key(id) && !is_new
        };
        let departed: Vec<_> = self
            .nodes
            .iter()
            .filter(is_departed)
            .map(|(id, _)| *id)
            .collect();
        departed.into_iter().for_each(|id| self.remove(id));
        for (id, summary) in leases
            .iter()
            .filter(|(id, _)| **id != self.me)
            .take(MOST_NODES)
        {
            let node = self.nodes.entry(*id).or_insert_with(|| {
                info!(node = %id, name = summary.name.as_deref(), "node joined");
                KnownNode::new(now)
            });
            if node.compare(summary, now) {
                debug!(node = %id, "missed reports of a node");
                node.lose();
            }
            if node.state == SyncState::Lost {
                node.streams = summary.streams;
            }
        }
    }

    /// Returns the nodes that must be asked now for a list of all their users, and `true` if any
    /// node must be asked again later.
    pub(crate) fn ask_now(&mut self, now: Instant) -> (Vec<NodeId>, bool) {
        let me = self.me;
        let waiting = |(id, node): &(&NodeId, &mut KnownNode)| {
            **id != me && matches!(node.state, SyncState::Lost | SyncState::Listing)
        };
        let (mut due, mut later) = (Vec::new(), false);
        for (id, node) in self.nodes.iter_mut().filter(waiting) {
            let heard = if node.state == SyncState::Listing {
                Some(node.as_of)
            } else {
                None
            };
            let last = node.asked.max(heard);
            later = true;
            if last.is_none_or(|last| now.duration_since(last) >= ANSWER_WITHIN) {
                node.asked = Some(now);
                due.push(*id);
            }
        }
        (due, later)
    }

    /// Removes some users that have disconnected. Returns `false` if no users are left to remove.
    pub(crate) fn tidy(&mut self, now: Instant) -> bool {
        if let Some((users, shard)) = self.departed.last_mut() {
            for (user, count) in users.extract(*shard, |_| true) {
                self.presence.change(&user, count.streams, 0, now);
            }
            *shard += 1;
            if *shard == SHARDS {
                self.departed.pop();
            }
            return true;
        }
        for node in self.nodes.values_mut() {
            if let Some(shard) = node.sweep() {
                let generation = node.generation;
                for (user, count) in node
                    .users
                    .extract(shard, |count| count.generation != generation)
                {
                    self.presence.change(&user, count.streams, 0, now);
                }
                return true;
            }
        }
        false
    }

    /// Returns the number of nodes on which a user has streams.
    pub(crate) fn nodes_of(&self, user: &UserId) -> usize {
        self.nodes
            .values()
            .filter(|node| node.users.get(user).is_some())
            .count()
    }
}
