//! Event log state that the manager's lock protects.

pub(crate) mod block;
pub(crate) mod entry_key;
pub(crate) mod fetched_page;
pub(crate) mod gap;
pub(crate) mod holes;
pub(crate) mod idempotency;
pub(crate) mod key_limits;
pub(crate) mod page_cache;
pub(crate) mod records;
pub(crate) mod retention;
pub(crate) mod shares;
pub(crate) mod target_index;
pub(crate) mod waiters;
pub(crate) mod window;

use crate::{
    dialect::message::Message,
    event::{
        Event,
        cursor::{Cursor, Epoch, Mark, Position},
        frame::Collapse,
    },
    id::{client_id::ClientId, target::Target},
    log::{
        gap::GapReason, holes::Holes, idempotency::IdempotencyKeys, retention::Retention,
        waiters::Waiters, window::Window,
    },
};

/// The part of the event log that the manager's lock protects.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) window: Window,
    /// Idempotency keys, used if the log belongs to this manager alone.
    pub(crate) keys: IdempotencyKeys<Cursor>,
    /// Set if the log belongs to a backplane.
    pub(crate) remote: Option<Remote>,
    pub(crate) waiting: Waiters,
    pub(crate) holes: Holes,
    pub(crate) counts: LogCounts,
}

/// The state of the node with respect to a backplane's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// `true` if the node has followed the log to its end once.
    pub(crate) started: bool,
    /// `true` if the node has lost the log since.
    pub(crate) is_unavailable: bool,
    /// Uptime of the manager at which the node last was at the end of the log.
    pub(crate) synced_ms: u64,
    /// Position up to which the log has been trimmed.
    pub(crate) trimmed: Position,
}

/// The counters of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogCounts {
    pub(crate) resumed: u64,
    pub(crate) gaps: [u64; GapReason::COUNT],
    pub(crate) replayed: u64,
    pub(crate) duplicates: u64,
    pub(crate) keys_refused: u64,
    pub(crate) unreadable: u64,
    pub(crate) damaged: u64,
    pub(crate) reconnects: u64,
}

impl Log {
    /// Creates an empty log that belongs to this manager alone.
    pub(crate) fn local(retention: Retention) -> Self {
        Self::new(
            Window::new(Epoch::random(), Position::ZERO, retention),
            None,
        )
    }

    /// Creates a log that belongs to a backplane and has not been read yet.
    pub(crate) fn remote(retention: Retention) -> Self {
        let remote = Remote {
            started: false,
            is_unavailable: false,
            synced_ms: 0,
            trimmed: Position::ZERO,
        };
        Self::new(
            Window::new(Epoch::random(), Position::ZERO, retention),
            Some(remote),
        )
    }

    fn new(window: Window, remote: Option<Remote>) -> Self {
        Self {
            window,
            keys: IdempotencyKeys::default(),
            remote,
            waiting: Waiters::default(),
            holes: Holes::default(),
            counts: LogCounts::default(),
        }
    }

    /// Returns `true` if the end of the log is known, so that streams can be accepted.
    pub(crate) fn is_started(&self) -> bool {
        self.remote.as_ref().is_none_or(|remote| remote.started)
    }

    /// Returns `true` if the node has lost its backplane.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.remote
            .as_ref()
            .is_some_and(|remote| remote.is_unavailable)
    }

    /// Returns `true` if the node was at the end of the log at some time after `uptime_ms`.
    pub(crate) fn synced_after(&self, uptime_ms: u64) -> bool {
        self.remote
            .as_ref()
            .is_none_or(|remote| !remote.is_unavailable && remote.synced_ms > uptime_ms)
    }

    /// Returns the position up to which entries are no longer readable, neither in memory nor in
    /// the backplane.
    pub(crate) fn trimmed(&self) -> Position {
        match &self.remote {
            Some(remote) => remote.trimmed.min(self.window.forgotten()),
            None => self.window.forgotten(),
        }
    }

    /// Records that the log cannot be read after one position up to another. Returns `false` if
    /// that was known.
    pub(crate) fn note_damage(&mut self, after: Position, to: Position) -> bool {
        let is_news = self.holes.add(after, to);
        self.counts.damaged += u64::from(is_news);
        is_news
    }

    /// Adds an event to the log as a record, at the position that the backplane assigned or at the
    /// next position. Returns the number of the record and its message.
    pub(crate) fn record(
        &mut self,
        (target, except): (&Target, &[ClientId]),
        (event, collapse): (Event, Option<Collapse>),
        position: Option<Position>,
        at_ms: u64,
    ) -> (u64, Message) {
        let head = self.window.head();
        let position = position.unwrap_or_else(|| Position::new(head.major(), head.minor() + 1));
        let event = event.with_id(self.window.epoch().id_at(position));
        let message = Message::new(event, collapse, Mark::Logged(self.window.place(position)));
        let number = self.window.push(position, target, except, &message, at_ms);
        (number, message)
    }
}

/// Returns `true` if the log stores the event. Events to one client id and ephemeral events are not
/// stored, because only clients that are connected now receive them.
pub(crate) fn is_logged(target: &Target, event: &Event) -> bool {
    !matches!(target, Target::Client(_)) && !event.is_ephemeral()
}
