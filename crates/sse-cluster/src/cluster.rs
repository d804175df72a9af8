//! All nodes on one backplane.

use std::{error::Error, fmt, sync::Arc};

use sse_core::Manager;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tracing::{debug, error};

use crate::{
    announcer::Announcer,
    cluster_state::{self, ClusterState},
    config::ClusterConfig,
    hook_calls, lease,
    listener::ClusterListener,
    messages::{ClusterMessage, IncomingRequest},
    node_id::NodeId,
    responder,
};

/// All nodes on one backplane: the users that are connected to any node, and operations on their
/// streams. A clone is cheap and is the same node.
///
/// The cluster holds the manager. When the last clone is dropped, the node leaves the cluster; its
/// streams stay connected.
///
/// ```
/// use sse_cluster::{Cluster, ClusterConfig};
/// use sse_core::{DisconnectOptions, Handshake, Manager, Retention, UserId, backplane::MemoryBackplane};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Each node does the same, with a backplane that the nodes share.
/// let backplane = MemoryBackplane::new(Retention::default());
/// let manager = Manager::builder().backplane(backplane).build()?;
/// let cluster = Cluster::start(&manager, ClusterConfig::new().name("10.0.0.7:8080"));
/// assert!(manager.started().await);
///
/// let stream = manager.connect(Handshake::new().user("42"))?;
/// assert_eq!(cluster.stats().connections, 1);
/// let ended = cluster.disconnect(UserId::new("42")?, DisconnectOptions::new()).await;
/// assert_eq!(ended.streams, 1);
/// cluster.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cluster {
    pub(crate) shared: Arc<ClusterState>,
    running: Option<Arc<RunningTasks>>,
}

/// The tasks of the node. Dropping this value ends the tasks.
struct RunningTasks {
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl Cluster {
    /// Makes a manager a node of the cluster of all managers on its backplane, and starts to follow
    /// that backplane. A manager must have only one cluster: a second one would count its streams
    /// twice.
    ///
    /// Without a backplane, the cluster consists of this manager alone.
    ///
    /// # Panics
    /// Panics outside a tokio runtime, as [`tokio::spawn`] does, unless the manager has no
    /// backplane and the configuration has no hooks.
    #[must_use]
    pub fn start(manager: &Manager, config: ClusterConfig) -> Self {
        if manager.backplane().is_none() && config.hooks.is_none() {
            return Self::alone(manager);
        }
        let (asked, asking) = mpsc::channel(responder::WAITING);
        let shared = Arc::new(ClusterState::new(manager.clone(), config, asked));
        manager.on_signal(Arc::new(ClusterListener(Arc::downgrade(&shared))));
        manager.follow();
        let (stop, stopping) = watch::channel(false);
        let (stopped_tx, stopped) = watch::channel(false);
        Handle::current().spawn(run(Arc::clone(&shared), asking, stopping, stopped_tx));
        Self {
            shared,
            running: Some(Arc::new(RunningTasks { stop, stopped })),
        }
    }

    /// Creates a cluster of this manager alone, even if its backplane has other nodes. The cluster
    /// calls no hooks, and needs no runtime.
    #[must_use]
    pub fn alone(manager: &Manager) -> Self {
        let (asked, _) = mpsc::channel(1);
        let shared = ClusterState::new(manager.clone(), ClusterConfig::default(), asked).alone();
        Self {
            shared: Arc::new(shared),
            running: None,
        }
    }

    /// Returns the manager of this node.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.shared.manager
    }

    /// Returns the id of this node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.me
    }

    /// Returns `true` if other nodes are possible: the manager has a backplane, and the cluster is
    /// not [`alone`](Self::alone).
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.shared.has_others()
    }

    /// Leaves the cluster: the other nodes are notified at once that this node's users have
    /// disconnected. Call this method after this node's streams have ended. Hooks are not called
    /// any more.
    ///
    /// Returns when the other nodes were notified or cannot be reached. If they cannot be reached,
    /// they notice the departure when the lease ends. *Cancel safety.* The node leaves even if the
    /// future is dropped.
    pub async fn shutdown(&self) {
        let Some(running) = &self.running else { return };
        running.stop.send_replace(true);
        let mut stopped = running.stopped.clone();
        // An error also means that the tasks have ended: their runtime was dropped.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("node", &self.node())
            .finish_non_exhaustive()
    }
}

async fn run(
    shared: Arc<ClusterState>,
    asking: mpsc::Receiver<IncomingRequest>,
    mut stopping: watch::Receiver<bool>,
    stopped: watch::Sender<bool>,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(Announcer::new(Arc::clone(&shared)).run());
    tasks.spawn(cluster_state::tidy(Arc::clone(&shared)));
    if let Some(hooks) = &shared.config.hooks {
        tasks.spawn(hook_calls::run(Arc::clone(&shared), Arc::clone(hooks)));
    }
    if let Some(backplane) = shared.manager.backplane() {
        tasks.spawn(lease::hold(Arc::clone(&shared), Arc::clone(backplane)));
        tasks.spawn(cluster_state::ask_lost(Arc::clone(&shared)));
        tasks.spawn(responder::give(Arc::clone(&shared), asking));
    }
    loop {
        tokio::select! {
            // An error means that the last clone was dropped.
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => {
                if let Err(failed) = ended {
                    error!(error = &failed as &dyn Error, "failed to run a task of the cluster");
                }
            }
        }
    }
    tasks.shutdown().await;
    leave(&shared).await;
    stopped.send_replace(true);
}

async fn leave(shared: &ClusterState) {
    let Some(backplane) = shared.manager.backplane() else {
        return;
    };
    let notified = lease::drop_lease(shared, &**backplane).await;
    let notified = match notified {
        Ok(()) => shared.say(ClusterMessage::Leaving).await,
        Err(error) => Err(error),
    };
    if let Err(error) = notified {
        debug!(
            error = &error as &dyn Error,
            "failed to notify other nodes of the departure of this node"
        );
    }
}
