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
    config::ClusterConfig,
    hook_calls, lease,
    listener::Listener,
    messages::{IncomingRequest, Message},
    node_id::NodeId,
    responder,
    shared::{self, Shared},
};

/// All nodes on one backplane: who is connected to any of them, and what is to be done there. A
/// clone is cheap and the same node.
///
/// It holds the manager. When the last clone is gone the node leaves the cluster; its streams stay.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) shared: Arc<Shared>,
    running: Option<Arc<Running>>,
}

/// The tasks. Dropped, they end.
struct Running {
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl Cluster {
    /// Makes this manager a node of the cluster of all managers on its backplane, and starts to
    /// follow that. One for each manager: a second one would count its streams twice.
    ///
    /// Without a backplane it answers for this manager alone.
    ///
    /// # Panics
    /// Outside a tokio runtime, as [`tokio::spawn`] does, unless there is neither a backplane nor a
    /// hook.
    #[must_use]
    pub fn start(manager: &Manager, config: ClusterConfig) -> Self {
        if manager.backplane().is_none() && config.hooks.is_none() {
            return Self::alone(manager);
        }
        let (asked, asking) = mpsc::channel(responder::WAITING);
        let shared = Arc::new(Shared::new(manager.clone(), config, asked));
        manager.on_signal(Arc::new(Listener(Arc::downgrade(&shared))));
        manager.follow();
        let (stop, stopping) = watch::channel(false);
        let (stopped_tx, stopped) = watch::channel(false);
        Handle::current().spawn(run(Arc::clone(&shared), asking, stopping, stopped_tx));
        Self {
            shared,
            running: Some(Arc::new(Running { stop, stopped })),
        }
    }

    /// Answers for a manager alone, whatever others there are. Needs no runtime.
    #[must_use]
    pub fn alone(manager: &Manager) -> Self {
        let (asked, _) = mpsc::channel(1);
        let shared = Shared::new(manager.clone(), ClusterConfig::default(), asked).alone();
        Self {
            shared: Arc::new(shared),
            running: None,
        }
    }

    /// The manager of this node.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.shared.manager
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.me
    }

    /// Whether there can be other nodes: there is a backplane.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.shared.has_others()
    }

    /// Leaves the cluster: the others hear at once that this node's users are gone. To be called
    /// when its streams have ended; hooks hear nothing any more.
    ///
    /// Returns when they were told or cannot be reached, in which case they find out when the lease
    /// ends. *Cancel safety.* A dropped future leaves all the same.
    pub async fn shutdown(&self) {
        let Some(running) = &self.running else { return };
        running.stop.send_replace(true);
        let mut stopped = running.stopped.clone();
        // An error is an end as well: the runtime of the tasks is gone.
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
    shared: Arc<Shared>,
    asking: mpsc::Receiver<IncomingRequest>,
    mut stopping: watch::Receiver<bool>,
    stopped: watch::Sender<bool>,
) {
    let mut tasks = JoinSet::new();
    tasks.spawn(Announcer::new(Arc::clone(&shared)).run());
    tasks.spawn(shared::tidy(Arc::clone(&shared)));
    if let Some(hooks) = &shared.config.hooks {
        tasks.spawn(hook_calls::tell(Arc::clone(&shared), Arc::clone(hooks)));
    }
    if let Some(backplane) = shared.manager.backplane() {
        tasks.spawn(lease::hold(Arc::clone(&shared), Arc::clone(backplane)));
        tasks.spawn(shared::ask_lost(Arc::clone(&shared)));
        tasks.spawn(responder::give(Arc::clone(&shared), asking));
    }
    loop {
        tokio::select! {
            // An error means that the last clone is gone.
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => {
                if let Err(failed) = ended {
                    error!(error = &failed as &dyn Error, "a part of the cluster has failed");
                }
            }
        }
    }
    tasks.shutdown().await;
    leave(&shared).await;
    stopped.send_replace(true);
}

async fn leave(shared: &Shared) {
    let Some(backplane) = shared.manager.backplane() else {
        return;
    };
    let told = lease::drop_lease(shared, &**backplane).await;
    let told = match told {
        Ok(()) => shared.say(Message::Leaving).await,
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        debug!(
            error = &error as &dyn Error,
            "other nodes do not hear that this one goes"
        );
    }
}
