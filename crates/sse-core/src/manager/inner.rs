//! State that all clones of a manager share.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    backplane::{
        Backplane, acceptance::Acceptance, in_flight::InFlight, retry_budget::RetryBudget,
        signal_handler::SignalHandler,
    },
    clock::{Millis, MonotonicClock, log_time},
    dialect::heartbeat::Heartbeat,
    event::{Event, cursor::Cursor, frame::Collapse},
    id::access::Access,
    jitter::Jitter,
    log::{Log, page_cache::PageCache},
    manager::{append_times::AppendTimes, config::Config, driver::Driver},
    sequencer::{
        Sequencer,
        fanout::{Effects, Rules, Tx},
    },
    stream::{
        hooks::Hooks,
        overflow::{CollapseBy, Overflow},
    },
    striped_counter::StripedCounter,
    sync::Mutex,
};

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) heartbeat: Option<Arc<dyn Heartbeat>>,
    pub(crate) clock: MonotonicClock,
    pub(crate) jitter: Jitter,
    /// Time within which every stream is checked once.
    pub(crate) round: Duration,
    pub(crate) rules: Rules,
    pub(crate) sequencer: Mutex<Sequencer>,
    pub(crate) driver: Driver,
    pub(crate) delivered: StripedCounter,
    pub(crate) bytes: StripedCounter,
    /// Number of streams that a transport still holds, live or ending.
    pub(crate) open: AtomicUsize,
    pub(crate) all_closed: Notify,
    /// Notified when the backplane's log was followed to its end for the first time.
    pub(crate) log_started: Notify,
    /// The backplane; `None` if events stay in this process.
    pub(crate) backplane: Option<Arc<dyn Backplane>>,
    pub(crate) reader: Arc<PageCache>,
    pub(crate) tickets: InFlight,
    pub(crate) spool: RetryBudget,
    pub(crate) append_times: AppendTimes,
    pub(crate) acceptance: Arc<Acceptance>,
    pub(crate) signal_handlers: Mutex<Vec<Arc<dyn SignalHandler>>>,
    pub(crate) collapse_secret: RandomState,
    /// Set once any stream keeps only the latest event of a key.
    pub(crate) collapsing: AtomicBool,
}

impl AsRef<Driver> for Inner {
    fn as_ref(&self) -> &Driver {
        &self.driver
    }
}

impl Inner {
    /// Runs `act` under the lock. Wakes transports and calls hooks afterwards.
    pub(crate) fn with_sequencer<T>(
        &self,
        act: impl FnOnce(&mut Sequencer, &mut Tx<'_>) -> T,
    ) -> T {
        let mut sequencer = self.sequencer.lock();
        let uptime_ms = self.clock.uptime_ms();
        let now = Millis::of(uptime_ms);
        let mut tx = Tx {
            rules: &self.rules,
            now,
            uptime_ms,
            out: Effects::default(),
        };
        let result = act(&mut sequencer, &mut tx);
        drop(sequencer);
        tx.out.release(&*self.hooks);
        result
    }

    /// Returns `true` if events are logged, in this process or in a backplane.
    pub(crate) fn has_log(&self) -> bool {
        self.config.log.is_some() || self.backplane.is_some()
    }

    /// Returns the clock for the age of records in the log, in milliseconds. Its values are large
    /// enough that records older than the manager also have a time.
    pub(crate) fn log_time(&self) -> u64 {
        log_time(self.clock.uptime_ms())
    }

    /// Returns `true` if the node has lost its backplane.
    pub(crate) fn is_log_unavailable(&self) -> bool {
        let sequencer = self.sequencer.lock();
        sequencer.log.as_ref().is_some_and(Log::is_unavailable)
    }

    /// Returns [`Inner::log_head`] if the log was followed to its end once.
    pub(crate) fn log_head_if_started(&self) -> Option<Cursor> {
        let sequencer = self.sequencer.lock();
        let log = sequencer.log.as_ref().filter(|log| log.is_started());
        log.map(|log| log.window.head_cursor())
    }

    /// Returns the end of the log, as far as this node has followed it.
    pub(crate) fn log_head(&self) -> Option<Cursor> {
        Some(self.sequencer.lock().log.as_ref()?.window.head_cursor())
    }

    // Sequentially consistent, like the flags of the driver's tasks: either a new stream finds the
    // timer stopped, or the timer that stops finds the stream.
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

    /// Returns the keys by which events replace each other, for streams that keep only the latest.
    pub(crate) fn collapse(&self, event: &Event) -> Option<Collapse> {
        if !self.collapsing.load(Ordering::Relaxed) {
            return None;
        }
        let hash = |by: CollapseBy, text: &str| self.collapse_secret.hash_one((by as u8, text));
        let event_type = event
            .event_type()
            .map_or("message", |event_type| event_type.as_str());
        Some(Collapse {
            event_type: Some(hash(CollapseBy::EventType, event_type)),
            key: event.collapse_key().map(|key| hash(CollapseBy::Key, key)),
        })
    }
}
