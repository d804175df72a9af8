//! State that all clones and tasks of a cluster share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sse_core::{Manager, access::Banned, backplane::BackplaneError};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tracing::warn;

use crate::{
    config::ClusterConfig,
    membership::{Action, Membership},
    messages::{self, ClusterEnvelope, ClusterMessage, IncomingRequest, Report},
    node_id::NodeId,
    pending_requests::PendingRequests,
    presence::PresenceEvent,
};

/// Maximum number of bans that wait for the next report. If more arrive, all bans are listed again.
const MAX_BANS: usize = 1024;

/// State that all clones and tasks of a cluster share.
pub(crate) struct ClusterState {
    pub(crate) manager: Manager,
    pub(crate) config: ClusterConfig,
    pub(crate) me: NodeId,
    is_alone: bool,
    pub(crate) membership: Mutex<Membership>,
    pub(crate) pending_requests: PendingRequests,
    /// Queue of requests of other nodes.
    pub(crate) asked: mpsc::Sender<IncomingRequest>,
    /// Set if a list of all users of this node is requested.
    pub(crate) list_requested: AtomicBool,
    /// Bans that were issued here, for the next report.
    pub(crate) bans: Mutex<Vec<(Banned, Duration)>>,
    /// Notified if a node must be asked for a list.
    pub(crate) lost: Notify,
    /// Notified if users must be removed.
    pub(crate) untidy: Notify,
    /// Notified if users may have connected or disconnected.
    pub(crate) moved: Notify,
}

impl ClusterState {
    pub(crate) fn new(
        manager: Manager,
        config: ClusterConfig,
        asked: mpsc::Sender<IncomingRequest>,
    ) -> Self {
        let me = NodeId::random();
        let grace = config.hooks.as_ref().map(|_| config.grace);
        Self {
            membership: Mutex::new(Membership::new(me, config.name.clone(), grace)),
            manager,
            config,
            me,
            is_alone: false,
            pending_requests: PendingRequests::default(),
            asked,
            list_requested: AtomicBool::new(false),
            bans: Mutex::default(),
            lost: Notify::new(),
            untidy: Notify::new(),
            moved: Notify::new(),
        }
    }

    /// Excludes all other nodes.
    pub(crate) fn alone(self) -> Self {
        Self {
            is_alone: true,
            ..self
        }
    }

    /// Returns `true` if other nodes are possible.
    pub(crate) fn has_others(&self) -> bool {
        !self.is_alone && self.manager.backplane().is_some()
    }

    /// Sends a message to all nodes.
    pub(crate) async fn say(&self, message: ClusterMessage) -> Result<(), BackplaneError> {
        self.manager
            .signal(&messages::write(&ClusterEnvelope {
                from: self.me,
                message,
            }))
            .await
    }

    /// Applies a report of the users of a node.
    pub(crate) fn report(&self, from: NodeId, report: &Report) {
        let action = self.membership.lock().report(from, report, Instant::now());
        match action {
            Action::Nothing => {}
            Action::Ask if from == self.me => self.list_requested.store(true, Ordering::Relaxed),
            Action::Ask => self.lost.notify_one(),
            Action::Tidy => self.untidy.notify_one(),
        }
        self.moved.notify_one();
        if from != self.me {
            let bans = report.bans.iter();
            bans.for_each(|(who, ms)| self.manager.ban(who.clone(), Duration::from_millis(*ms)));
        }
    }

    /// Removes a node that leaves.
    pub(crate) fn departed(&self, node: NodeId) {
        self.membership.lock().remove(node);
        self.untidy.notify_one();
    }

    /// Handles signals that may have been missed.
    pub(crate) fn missed(&self) {
        self.membership.lock().missed();
        self.lost.notify_one();
    }

    /// Queues a request of another node.
    pub(crate) fn asked(&self, asked: IncomingRequest) {
        if let Err(mpsc::error::TrySendError::Full(asked)) = self.asked.try_send(asked) {
            warn!(node = %asked.from, "dropped a request of another node: too many requests are queued");
        }
    }

    /// Records a ban that was issued here. Nodes that miss the request learn of the ban from a
    /// report.
    pub(crate) fn banned(&self, who: Banned, duration: Duration) {
        let mut bans = self.bans.lock();
        if bans.len() < MAX_BANS {
            bans.push((who, duration));
        } else {
            self.list_requested.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn next_news(&self) -> Option<PresenceEvent> {
        self.membership.lock().presence.news(Instant::now())
    }
}

impl fmt::Debug for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterState")
            .field("me", &self.me)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Asks nodes whose reports were missed for lists of all their users.
pub(crate) async fn ask_lost(shared: Arc<ClusterState>) {
    const AGAIN: Duration = Duration::from_millis(300);
    const NEVER: Duration = Duration::from_secs(3600);
    loop {
        let (due, later) = shared.membership.lock().ask_now(Instant::now());
        for nodes in due.chunks(1024) {
            if let Err(error) = shared
                .say(ClusterMessage::ListRequest { of: nodes.to_vec() })
                .await
            {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "failed to request lists of users from other nodes"
                );
            }
        }
        let wait = tokio::time::sleep(if later { AGAIN } else { NEVER });
        tokio::select! { () = shared.lost.notified() => {}, () = wait => {} }
    }
}

/// Removes users that have disconnected, in steps.
pub(crate) async fn tidy(shared: Arc<ClusterState>) {
    // As a condition of the loop, the lock would be held across the wait.
    let step = || shared.membership.lock().tidy(Instant::now());
    loop {
        while step() {
            tokio::task::yield_now().await;
        }
        shared.moved.notify_one();
        shared.untidy.notified().await;
    }
}
