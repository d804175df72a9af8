//! What all clones of a manager share.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use tokio::sync::Notify;

use crate::{
    access::Access,
    builder::Builder,
    client_id::ClientId,
    clock::Clock,
    config::Config,
    delivery::{Hold, Outbox, Rules},
    dialect::Dialects,
    event::Event,
    frame::Collapse,
    heartbeat::Heartbeat,
    hooks::Hooks,
    name::Topic,
    order::Order,
    overflow::{CollapseBy, Overflow},
    queue::Bounds,
    registry::Registry,
    striped::Striped,
    sync::Mutex,
    ticker::{self, Ticker},
};

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) heartbeat: Option<Arc<dyn Heartbeat>>,
    pub(crate) clock: Clock,
    /// How long it takes until every stream was looked at.
    pub(crate) round: Duration,
    pub(crate) rules: Rules,
    pub(crate) order: Mutex<Order>,
    pub(crate) ticker: Ticker,
    pub(crate) delivered: Striped,
    pub(crate) bytes: Striped,
    /// Streams whose transport has not let go of them, live or ending.
    open: AtomicUsize,
    pub(crate) all_closed: Notify,
    collapse_secret: RandomState,
    /// Whether any stream ever wanted only the latest of a key.
    collapsing: AtomicBool,
}

impl Inner {
    pub(crate) fn new(builder: Builder) -> Self {
        let heartbeat = builder.beat();
        let config = builder.config;
        let arrivals = config.when_full == crate::config::LimitPolicy::ReplaceOldest;
        Self {
            access: builder.access,
            hooks: builder.hooks,
            round: ticker::round(&config, heartbeat.is_some()),
            heartbeat,
            clock: Clock::new(),
            rules: Rules {
                dialects: Dialects::default(),
                bounds: Bounds { frames: config.queue_frames, bytes: config.queue_bytes },
            },
            order: Mutex::new(Order::new(Registry::new(arrivals))),
            ticker: Ticker::default(),
            delivered: Striped::default(),
            bytes: Striped::default(),
            open: AtomicUsize::new(0),
            all_closed: Notify::new(),
            collapse_secret: RandomState::new(),
            collapsing: AtomicBool::new(matches!(config.overflow, Overflow::KeepLatest(_))),
            config,
        }
    }

    /// Does something under the lock, then wakes and tells whom it concerns.
    pub(crate) fn with_order<T>(&self, act: impl FnOnce(&mut Order, &mut Hold<'_>) -> T) -> T {
        let mut order = self.order.lock();
        let mut hold = Hold { rules: &self.rules, now: self.clock.now(), out: Outbox::default() };
        let result = act(&mut order, &mut hold);
        drop(order);
        hold.out.release(&*self.hooks);
        result
    }

    pub(crate) fn join(&self, client: ClientId, topic: &Topic) -> bool {
        let limits = self.config.limits;
        self.with_order(|order, hold| {
            let Some(place) = order.registry.place(client) else { return false };
            topic.as_str().len() <= limits.topic
                && order.registry.topic_count(place) < limits.topics
                && order.join(place, topic, hold)
        })
    }

    pub(crate) fn leave(&self, client: ClientId, topic: &Topic) -> bool {
        self.with_order(|order, hold| {
            let Some(place) = order.registry.place(client) else { return false };
            order.leave(place, topic, hold)
        })
    }

    // Sequentially consistent, as the timer's `running`: a stream that comes sees the timer stopped, or the timer that
    // stops sees the stream.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn closed(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.all_closed.notify_waiters();
        }
    }

    pub(crate) fn note_overflow(&self, overflow: Overflow) {
        if let Overflow::KeepLatest(_) = overflow {
            self.collapsing.store(true, Ordering::Relaxed);
        }
    }

    /// What replaces what, for streams that keep only the latest.
    pub(crate) fn collapse(&self, event: &Event) -> Option<Collapse> {
        if !self.collapsing.load(Ordering::Relaxed) {
            return None;
        }
        let hash = |by: CollapseBy, text: &str| self.collapse_secret.hash_one((by as u8, text));
        let event_type = event.event_type_ref().map_or("message", |event_type| event_type.as_str());
        Some(Collapse {
            event_type: Some(hash(CollapseBy::EventType, event_type)),
            key: event.collapse_key_ref().map(|key| hash(CollapseBy::Key, key)),
        })
    }
}

/// A random duration in `from..=to`, so that clients do not come back together.
pub(crate) fn random_between(from: Duration, to: Duration) -> Duration {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if from >= to {
        return from;
    }
    Duration::from_nanos(rand::rng().random_range(nanos(from)..=nanos(to)))
}
