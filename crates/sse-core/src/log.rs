//! What an order knows of the event log.

pub(crate) mod block;
pub(crate) mod entry_key;
pub(crate) mod fetched_page;
pub(crate) mod gap;
pub(crate) mod holes;
pub(crate) mod idempotency;
pub(crate) mod key_limits;
pub(crate) mod page_cache;
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

/// The event log, as far as the manager's lock protects it.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) window: Window,
    /// Idempotency keys, where the log is ours alone.
    pub(crate) keys: IdempotencyKeys<Cursor>,
    /// There when the log is a backplane's.
    pub(crate) remote: Option<Remote>,
    pub(crate) waiting: Waiters,
    pub(crate) holes: Holes,
    pub(crate) counts: LogCounts,
}

/// How the node stands to a backplane's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Whether it has followed the log to its end once.
    pub(crate) started: bool,
    /// Whether it lost the log since.
    pub(crate) is_away: bool,
    /// When it last was at the end of the log, by the uptime of the manager.
    pub(crate) synced_ms: u64,
    /// Everything up to here is gone from the log.
    pub(crate) trimmed: Position,
}

/// What was counted.
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
    /// A log of this manager alone, empty.
    pub(crate) fn local(retention: Retention) -> Self {
        Self::new(
            Window::new(Epoch::random(), Position::ZERO, retention),
            None,
        )
    }

    /// A backplane's log, of which nothing is known yet.
    pub(crate) fn remote(retention: Retention) -> Self {
        let remote = Remote {
            started: false,
            is_away: false,
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

    /// Whether streams can be accepted: it is known where the log ends.
    pub(crate) fn is_started(&self) -> bool {
        self.remote.as_ref().is_none_or(|remote| remote.started)
    }

    /// Whether the node has lost its backplane.
    pub(crate) fn is_away(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.is_away)
    }

    /// Whether the node was at the end of the log at some time after this one.
    pub(crate) fn synced_after(&self, uptime_ms: u64) -> bool {
        self.remote
            .as_ref()
            .is_none_or(|remote| !remote.is_away && remote.synced_ms > uptime_ms)
    }

    /// Everything up to here is gone, or not within reach.
    pub(crate) fn trimmed(&self) -> Position {
        match &self.remote {
            Some(remote) => remote.trimmed.min(self.window.forgotten()),
            None => self.window.forgotten(),
        }
    }

    /// Notes that the log cannot be read behind a position up to another one; `false` if that was
    /// known.
    pub(crate) fn note_damage(&mut self, after: Position, to: Position) -> bool {
        let is_news = self.holes.add(after, to);
        self.counts.damaged += u64::from(is_news);
        is_news
    }

    /// Makes an event a record, at a position that the backplane gave it or at the next one. Gives
    /// its number.
    pub(crate) fn record(
        &mut self,
        (target, except): (&Target, &[ClientId]),
        (event, collapse): (Event, Option<Collapse>),
        position: Option<Position>,
        at_ms: u64,
    ) -> (u64, Message) {
        let head = self.window.head();
        let position = position.unwrap_or_else(|| Position::new(head.major(), head.minor() + 1));
        let event = event.id(self.window.epoch().id_at(position));
        let message = Message::new(event, collapse, Mark::Logged(self.window.place(position)));
        let number = self.window.push(position, target, except, &message, at_ms);
        (number, message)
    }
}

/// Events to one client id and ephemeral ones are for those who are there now.
pub(crate) fn is_logged(target: &Target, event: &Event) -> bool {
    !matches!(target, Target::Client(_)) && !event.is_ephemeral()
}
