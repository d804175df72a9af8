//! Nodes, and assertions on them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sse_cluster::{Cluster, ClusterConfig, PresenceHooks};
use sse_core::{
    Handshake, Manager, Retention, Session, UserId, backplane::MemoryBackplane, stats::LogState,
};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::time::sleep;

/// Long enough for all automatic reports between nodes, in paused time.
pub(crate) const SOON: Duration = Duration::from_millis(500);

/// Long enough to detect a missed report and to request a list.
pub(crate) const LATER: Duration = Duration::from_secs(20);

/// The default term of a node.
pub(crate) const TERM: Duration = Duration::from_secs(10);
pub(crate) const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn memory() -> MemoryBackplane {
    MemoryBackplane::new(Retention::default())
}

/// A node, its path to the backplane, and its recorded hook calls.
pub(crate) struct Node {
    pub(crate) manager: Manager,
    pub(crate) cluster: Cluster,
    pub(crate) way: ScriptedBackplane,
    pub(crate) heard: Heard,
}

/// Users that came on-line (`+`) and went off-line (`-`).
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl PresenceHooks for Heard {
    fn online(&self, user: &UserId) {
        self.0.lock().unwrap().push(format!("+{user}"));
    }

    fn offline(&self, user: &UserId) {
        self.0.lock().unwrap().push(format!("-{user}"));
    }
}

impl Heard {
    /// Returns each user, with `true` if the user came on-line.
    pub(crate) fn in_order(&self) -> Vec<(String, bool)> {
        let heard = std::mem::take(&mut *self.0.lock().unwrap());
        heard
            .into_iter()
            .map(|news| (news[1..].to_owned(), news.starts_with('+')))
            .collect()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        let mut heard = std::mem::take(&mut *self.0.lock().unwrap());
        heard.sort();
        heard
    }
}

impl Node {
    pub(crate) async fn start(memory: &MemoryBackplane) -> Self {
        Self::start_as(memory, ClusterConfig::new()).await
    }

    pub(crate) async fn start_as(memory: &MemoryBackplane, config: ClusterConfig) -> Self {
        let way = ScriptedBackplane::new(memory.clone());
        // Nothing reads the events of the streams.
        let patient = Manager::builder().connection_timeout(Duration::from_secs(86_400));
        let manager = patient
            .backplane(way.clone())
            .max_connections(100_000)
            .build()
            .unwrap();
        let heard = Heard::default();
        let cluster = Cluster::start(&manager, config.hooks(heard.clone()));
        while manager.log_stats().unwrap().state != LogState::Current {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(SOON).await;
        Self {
            manager,
            cluster,
            way,
            heard,
        }
    }

    pub(crate) fn connect(&self, user: &str) -> Session {
        self.manager.connect(Handshake::new().user(user)).unwrap()
    }

    /// Ends the node without a message, as by `kill -9`.
    pub(crate) fn crash(self) {
        self.way.set_away(true);
    }

    pub(crate) async fn by_user(&self) -> Vec<(String, usize)> {
        let all = self.cluster.connections_by_user(usize::MAX).await;
        all.into_iter()
            .map(|(user, count)| (user.to_string(), count))
            .collect()
    }

    /// Asserts the number of streams, users and nodes of the whole cluster.
    #[track_caller]
    pub(crate) fn sees(&self, connections: usize, unique_users: usize, nodes: usize) {
        let stats = self.cluster.stats();
        assert_eq!(
            (
                stats.connections,
                stats.unique_users,
                stats.nodes.len(),
                stats.complete
            ),
            (connections, unique_users, nodes, true),
            "{stats:?}"
        );
    }
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}
