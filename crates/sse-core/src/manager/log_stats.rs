//! Numbers about the event log.

use std::{sync::atomic::Ordering, time::Duration};

use serde::Serialize;
use tokio::time::timeout;
use tracing::warn;

use crate::{
    backplane::acceptance::Duty,
    event::cursor::{Cursor, Position},
    log::{Log, gap::GapReason},
    manager::{Manager, stats::NamedCounts},
};

/// Time that a start waits for its event log.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How a manager stands to its event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogState {
    /// It has not followed the log to its end yet; streams are refused.
    Starting,
    /// It follows the log.
    Current,
    /// It has lost its backplane. Streams stay; publishing fails or waits.
    Away,
    /// It follows the log, and the backplane accepts nothing of what this manager publishes:
    /// publishing fails or waits. Streams receive what others publish.
    Rejecting,
    /// It follows the log, and does not receive what other nodes send beside it.
    NotListening,
}

impl LogState {
    /// Every state, with its word in statistics and metrics.
    pub const ALL: [(&'static str, Self); 5] = [
        ("starting", Self::Starting),
        ("current", Self::Current),
        ("away", Self::Away),
        ("rejecting", Self::Rejecting),
        ("not_listening", Self::NotListening),
    ];
}

/// Numbers about a manager's event log. Gauges are of now, counters since the manager was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// What it is: `memory`, or the backplane's name.
    pub backplane: &'static str,
    /// How the manager stands to it.
    pub state: LogState,
    /// Where it ends, as far as this manager has followed it.
    pub head: Cursor,
    /// Everything up to here is gone.
    pub trimmed: Position,
    /// For how long nothing is known of the end of a backplane's log; zero where it is ours alone.
    pub lag: Duration,
    /// Entries that this manager holds in memory.
    pub entries: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// Streams that came back and got all that they missed.
    pub resumed: u64,
    /// Events that were given to streams out of the log.
    pub replayed: u64,
    /// Gaps that streams were told of, by reason.
    pub gaps: NamedCounts<{ GapReason::COUNT }>,
    /// Publishes that were there before, by their key.
    pub duplicates: u64,
    /// Publishes that were refused for want of room for their keys.
    pub keys_refused: u64,
    /// Entries of the log that could not be read.
    pub unreadable: u64,
    /// Stretches of the log that could not be read, each reported to clients by a gap.
    pub damaged: u64,
    /// How often the backplane was lost or not reached.
    pub reconnects: u64,
    /// Reads of older parts of the log from the backplane.
    pub reads: u64,
    /// Appends to the backplane that were acknowledged.
    pub appends: u64,
    /// Appends that failed.
    pub append_failures: u64,
    /// How long all appends took together.
    pub append_time: Duration,
}

impl Manager {
    /// Numbers about the event log; `None` without one. Costs the same at any size.
    #[must_use]
    pub fn log(&self) -> Option<LogStats> {
        let inner = &self.inner;
        let (times, reads) = (&inner.append_times, inner.reader.reads());
        let problem = inner.acceptance.problem();
        let order = inner.order.lock();
        let log = order.log.as_ref()?;
        let state = match problem {
            _ if !log.is_started() => LogState::Starting,
            _ if log.is_away() => LogState::Away,
            Some(Duty::Append | Duty::Signal) => LogState::Rejecting,
            Some(Duty::Listen) => LogState::NotListening,
            None => LogState::Current,
        };
        let synced = log.remote.as_ref().map(|remote| remote.synced_ms);
        let lag = synced.map_or(0, |synced| inner.clock.uptime_ms().saturating_sub(synced));
        Some(LogStats {
            backplane: inner
                .backplane
                .as_ref()
                .map_or("memory", |backplane| backplane.name()),
            state,
            head: log.window.head_cursor(),
            trimmed: log.trimmed(),
            lag: Duration::from_millis(lag),
            entries: log.window.len(),
            bytes: log.window.bytes(),
            resumed: log.counts.resumed,
            replayed: log.counts.replayed,
            gaps: NamedCounts::new(GapReason::NAMES, log.counts.gaps),
            duplicates: log.counts.duplicates,
            keys_refused: log.counts.keys_refused,
            unreadable: log.counts.unreadable,
            damaged: log.counts.damaged,
            reconnects: log.counts.reconnects,
            reads,
            appends: times.succeeded.load(Ordering::Relaxed),
            append_failures: times.failed.load(Ordering::Relaxed),
            append_time: Duration::from_micros(times.micros.load(Ordering::Relaxed)),
        })
    }

    /// Starts to follow the log of the [backplane](crate::ManagerBuilder::backplane), on the
    /// current runtime, unless it is followed already. The first stream or publish does so as well;
    /// a server that calls it at its start is ready earlier. Without a backplane it does nothing.
    pub fn follow(&self) {
        self.inner.follow();
    }

    /// Waits until streams can be accepted, at most 10 s: returns whether the log was followed to
    /// its end once, which it [starts](Self::follow). Without a backplane there is nothing to wait
    /// for.
    ///
    /// For servers, before they accept clients: earlier streams are rejected with
    /// [`Cause::Starting`](crate::ConnectErrorKind::Starting). Reading a log takes milliseconds;
    /// only a backplane that is unavailable takes all of the time.
    pub async fn started(&self) -> bool {
        let started = timeout(START_TIMEOUT, self.log_started()).await.is_ok();
        if !started {
            warn!("the event log has not been read yet; streams are rejected until then");
        }
        started
    }

    async fn log_started(&self) {
        self.inner.follow();
        loop {
            let started = self.inner.log_started.notified();
            tokio::pin!(started);
            started.as_mut().enable();
            if self
                .inner
                .order
                .lock()
                .log
                .as_ref()
                .is_none_or(Log::is_started)
            {
                return;
            }
            started.await;
        }
    }
}
