//! The builder of a manager.

use std::{
    collections::hash_map::RandomState,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::Notify};

use crate::{
    backplane::{Backplane, in_flight::InFlight, retry_budget::RetryBudget},
    clock::MonotonicClock,
    dialect::{
        Dialects,
        heartbeat::{CommentHeartbeat, EventHeartbeat, Heartbeat},
    },
    id::access::{Access, OwnEventsOnly},
    jitter::Jitter,
    log::{Log, key_limits::KeyLimits, retention::Retention},
    manager::{
        Manager,
        append_times::AppendTimes,
        config::{BuildError, Config, HeartbeatKind, LimitPolicy, RejectionStyle},
        driver::Driver,
        inner::Inner,
        timer,
    },
    registry::Registry,
    sequencer::{Sequencer, fanout::Rules},
    stream::{
        hooks::{Hooks, NoHooks},
        overflow::Overflow,
        queue::QueueBounds,
    },
    striped_counter::StripedCounter,
    sync::Mutex,
};

/// A builder of a [`Manager`]. [`Config`] describes the settings, their defaults and ranges.
///
/// ```
/// # use std::time::Duration;
/// let manager = sse_core::Manager::builder()
///     .heartbeat_interval(Duration::from_secs(15))
///     .max_connections(50_000)
///     .build()?;
/// # Ok::<(), sse_core::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ManagerBuilder {
    pub(crate) config: Config,
    custom_heartbeat: Option<Arc<dyn Heartbeat>>,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) backplane: Option<Arc<dyn Backplane>>,
    pub(crate) seed: Option<u64>,
    pub(crate) runtime: Option<Handle>,
}

impl Default for ManagerBuilder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            custom_heartbeat: None,
            access: Arc::new(OwnEventsOnly),
            hooks: Arc::new(NoHooks),
            backplane: None,
            seed: None,
            runtime: None,
        }
    }
}

impl Inner {
    pub(crate) fn new(builder: ManagerBuilder) -> Self {
        let heartbeat = builder.heartbeat_source();
        let config = builder.config;
        let retention = config.log.unwrap_or_default();
        let log = match (&builder.backplane, config.log) {
            (Some(_), _) => Some(Log::remote(retention)),
            (None, Some(_)) => Some(Log::local(retention)),
            (None, None) => None,
        };
        let arrivals = config.when_full == LimitPolicy::ReplaceOldest;
        Self {
            access: builder.access,
            hooks: builder.hooks,
            round: timer::round(&config, heartbeat.is_some()),
            heartbeat,
            clock: MonotonicClock::new(),
            jitter: Jitter::new(builder.seed),
            rules: Rules {
                dialects: Dialects::default(),
                bounds: QueueBounds {
                    frames: config.queue_frames,
                    bytes: config.queue_bytes,
                },
            },
            sequencer: Mutex::new(Sequencer::new(Registry::new(arrivals), log)),
            driver: Driver::new(builder.runtime.or_else(|| Handle::try_current().ok())),
            delivered: StripedCounter::default(),
            bytes: StripedCounter::default(),
            open: AtomicUsize::new(0),
            all_closed: Notify::new(),
            log_started: Notify::new(),
            backplane: builder.backplane,
            reader: Arc::default(),
            tickets: InFlight::default(),
            spool: RetryBudget::new(config.spool_bytes),
            append_times: AppendTimes::default(),
            acceptance: Arc::default(),
            signal_handlers: Mutex::new(Vec::new()),
            collapse_secret: RandomState::new(),
            collapsing: AtomicBool::new(matches!(config.overflow, Overflow::KeepLatest(_))),
            config,
        }
    }
}

impl Manager {
    /// Creates a builder with default settings.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    pub(crate) fn new(builder: ManagerBuilder) -> Self {
        Self {
            inner: Arc::new(Inner::new(builder)),
        }
    }
}

impl ManagerBuilder {
    /// Sets all settings of a [`Config`] at once.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets [`Config::heartbeat`].
    pub fn heartbeat(mut self, form: HeartbeatKind) -> Self {
        self.config.heartbeat = form;
        self
    }

    /// Sets the source of the heartbeats, in place of the kind in [`Config::heartbeat`]. If that is
    /// `off`, no heartbeats are sent.
    pub fn custom_heartbeat(mut self, heartbeat: impl Heartbeat) -> Self {
        self.custom_heartbeat = Some(Arc::new(heartbeat));
        self
    }

    /// Sets [`Config::heartbeat_interval`].
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.config.heartbeat_interval = interval;
        self
    }

    /// Sets [`Config::connection_timeout`].
    pub fn connection_timeout(mut self, timeout: Duration) -> Self {
        self.config.connection_timeout = timeout;
        self
    }

    /// Sets [`Config::max_age`].
    pub fn max_age(mut self, age: Duration) -> Self {
        self.config.max_age = Some(age);
        self
    }

    /// Sets [`Config::retry`].
    pub fn retry(mut self, delay: Duration) -> Self {
        self.config.retry = delay;
        self
    }

    /// Sets [`Config::max_connections`].
    pub fn max_connections(mut self, most: usize) -> Self {
        self.config.max_connections = most;
        self
    }

    /// Sets [`Config::when_full`].
    pub fn when_full(mut self, policy: LimitPolicy) -> Self {
        self.config.when_full = policy;
        self
    }

    /// Sets [`Config::max_connections_per_user`] and what happens beyond it.
    pub fn max_connections_per_user(mut self, most: usize, policy: LimitPolicy) -> Self {
        self.config.max_connections_per_user = Some(most);
        self.config.when_user_full = policy;
        self
    }

    /// Sets [`Config::max_anonymous_connections_per_address`].
    pub fn max_anonymous_connections_per_address(mut self, most: usize) -> Self {
        self.config.max_anonymous_connections_per_address = Some(most);
        self
    }

    /// Sets [`Config::max_connections_per_address`] and what happens beyond it.
    pub fn max_connections_per_address(mut self, most: usize, policy: LimitPolicy) -> Self {
        self.config.max_connections_per_address = Some(most);
        self.config.when_address_full = policy;
        self
    }

    /// Sets [`Config::queue_frames`] and [`Config::queue_bytes`].
    pub fn queue(mut self, frames: usize, bytes: usize) -> Self {
        self.config.queue_frames = frames;
        self.config.queue_bytes = bytes;
        self
    }

    /// Sets [`Config::overflow`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = overflow;
        self
    }

    /// Sets [`Config::refusal`].
    pub fn refusal(mut self, form: RejectionStyle) -> Self {
        self.config.refusal = form;
        self
    }

    /// Sets the access rules for callers; [`OwnEventsOnly`] by default.
    pub fn access(mut self, access: impl Access) -> Self {
        self.access = Arc::new(access);
        self
    }

    /// Sets the hooks that are notified when streams connect and disconnect.
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Arc::new(hooks);
        self
    }

    /// Sets [`Config::log`]: events are logged, and a returning client receives the events that it
    /// missed.
    ///
    /// Logged events have ids, `<epoch>-<position>`; one id stands for the position of a stream in
    /// all its targets. A client that returns with an id receives, in this order: `connection`, a
    /// `gap` if events are unavailable, the missed events of its user and its topics, and the
    /// events published from then on. Missed events of a topic are delivered only if the client can
    /// access the topic now. No event is lost or delivered twice. Events to one client id and
    /// [ephemeral](crate::Event::ephemeral) events are not logged.
    ///
    /// When a client returns, the manager does not know the topics that the app
    /// [joined](Manager::join) its stream to after it connected. Join the topics again in
    /// [`Hooks::connected`], or preferably name them in the [`Handshake`](crate::Handshake), so
    /// that the client also receives the events that it missed there.
    /// [`PublishTo::except`](crate::PublishTo::except) excludes a stream only as long as the stream
    /// lives: a returning client has a new stream.
    pub fn log(mut self, retention: Retention) -> Self {
        self.config.log = Some(retention);
        self
    }

    /// Sets [`Config::keys`], the limits of remembered idempotency keys.
    pub fn keys(mut self, limits: KeyLimits) -> Self {
        self.config.keys = limits;
        self
    }

    /// Publishes through a backplane, so that every manager on it has the same events in the same
    /// order. The backplane holds the log; [`ManagerBuilder::log`] sets how much of it this manager
    /// holds in memory.
    ///
    /// A task follows the log as soon as the first caller connects, publishes or calls
    /// [`Manager::follow`]. Until the log was followed to its end once, streams are rejected with
    /// [`ConnectErrorKind::Starting`](crate::ConnectErrorKind::Starting). [`Manager::started`]
    /// waits for that, and the servers of the adapters call it before they accept clients.
    pub fn backplane(mut self, backplane: impl Backplane) -> Self {
        self.backplane = Some(Arc::new(backplane));
        self
    }

    /// Derives all random times (`retry:`, ages, pauses between retries) from a seed, so that a
    /// simulation in paused time is reproducible.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Runs the manager's background work (heartbeats, stall detection, and the log of a backplane)
    /// on this runtime.
    ///
    /// Default: the runtime in which [`build`](Self::build) is called. If `build` is called outside
    /// of a runtime, or if the runtime shuts down before the manager is dropped, the manager starts
    /// a thread of its own. [`Hooks`] and signal handlers can then be called on that thread.
    ///
    /// A runtime whose threads are blocked delays the background work, and a current-thread runtime
    /// that nobody drives does none. In Actix, build the manager in `main` and not in a worker.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Builds the manager. Its [background work](Self::runtime) starts with the first stream or,
    /// with a backplane, with the first publish or [`Manager::follow`].
    ///
    /// # Errors
    /// [`BuildError`] with every setting that is out of range.
    pub fn build(self) -> Result<Manager, BuildError> {
        self.config.check()?;
        Ok(Manager::new(self))
    }

    pub(crate) fn heartbeat_source(&self) -> Option<Arc<dyn Heartbeat>> {
        match (self.config.heartbeat, &self.custom_heartbeat) {
            (HeartbeatKind::Off, _) => None,
            (_, Some(custom)) => Some(Arc::clone(custom)),
            (HeartbeatKind::Event, None) => Some(Arc::new(EventHeartbeat)),
            (HeartbeatKind::Comment, None) => Some(Arc::new(CommentHeartbeat)),
        }
    }
}

impl std::fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
