//! Statistics about the event log.

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

/// Timeout for the event log at the start of a server.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of a manager's connection to its event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogState {
    /// The manager has not followed the log to its end yet; streams are rejected.
    Starting,
    /// The manager follows the log.
    Current,
    /// The manager has lost its backplane. Streams stay connected; publishing fails or waits.
    Away,
    /// The manager follows the log, but the backplane rejects the manager's own events: publishing
    /// fails or waits. Streams receive the events of other nodes.
    Rejecting,
    /// The manager follows the log, but does not receive the signals of other nodes.
    NotListening,
}

impl LogState {
    /// Every state, with its name in statistics and metrics.
    pub const ALL: [(&'static str, Self); 5] = [
        ("starting", Self::Starting),
        ("current", Self::Current),
        ("away", Self::Away),
        ("rejecting", Self::Rejecting),
        ("not_listening", Self::NotListening),
    ];
}

/// Statistics about a manager's event log. Gauges are current, counters count since the manager was
/// built.
///
/// ```
/// use sse_core::{Event, Manager, Retention, stats::LogState};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = Manager::builder().log(Retention::default()).build()?;
/// manager.all().publish(Event::text("hello")).await?;
///
/// let log = manager.log_stats().unwrap();
/// assert_eq!((log.state, log.entries), (LogState::Current, 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Kind of the log: `memory`, or the name of the backplane.
    pub backplane: &'static str,
    /// State of the connection to the log.
    pub state: LogState,
    /// End of the log, as far as this manager has followed it.
    pub head: Cursor,
    /// Last position that the log no longer holds; it holds only later entries.
    pub trimmed: Position,
    /// Time since the end of the backplane's log was last known; zero without a backplane.
    pub lag: Duration,
    /// Number of entries that this manager holds in memory.
    pub entries: usize,
    /// Size of these entries in bytes.
    pub bytes: usize,
    /// Number of returning streams that received all missed events.
    pub resumed: u64,
    /// Number of events that streams received from the log.
    pub replayed: u64,
    /// Number of gaps that were reported to streams, by reason.
    pub gaps: NamedCounts<{ GapReason::COUNT }>,
    /// Number of publishes whose key was already known.
    pub duplicates: u64,
    /// Number of publishes that were rejected because the limit of keys was reached.
    pub keys_refused: u64,
    /// Number of unreadable entries of the log.
    pub unreadable: u64,
    /// Number of unreadable sections of the log, each reported to clients as a gap.
    pub damaged: u64,
    /// Number of failed attempts to follow the backplane's log: each loss, and each attempt while
    /// the backplane is unreachable.
    pub reconnects: u64,
    /// Number of reads of older parts of the log from the backplane.
    pub reads: u64,
    /// Number of acknowledged appends to the backplane.
    pub appends: u64,
    /// Number of failed appends.
    pub append_failures: u64,
    /// Total duration of all appends, failed ones included.
    pub append_time: Duration,
}

impl Manager {
    /// Returns statistics about the event log; `None` without a log. The cost does not depend on
    /// the size of the log.
    #[must_use]
    pub fn log_stats(&self) -> Option<LogStats> {
        let inner = &self.inner;
        let (times, reads) = (&inner.append_times, inner.reader.reads());
        let problem = inner.acceptance.problem();
        let sequencer = inner.sequencer.lock();
        let log = sequencer.log.as_ref()?;
        let state = match problem {
            _ if !log.is_started() => LogState::Starting,
            _ if log.is_unavailable() => LogState::Away,
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

    /// Starts to follow the log of the [backplane](crate::ManagerBuilder::backplane), unless a task
    /// follows it already. The first stream or publish does the same; a server that calls this
    /// method at its start is ready earlier. Does nothing without a backplane.
    pub fn follow(&self) {
        self.inner.follow();
    }

    /// Waits until streams can be accepted, at most 10 s. Returns `true` if the log was followed to
    /// its end once, and `false` after 10 s. [Starts](Self::follow) to follow the log if necessary.
    /// Without a backplane, returns `true` at once.
    ///
    /// Servers call this method before they accept clients, because earlier streams are rejected
    /// with [`ConnectErrorKind::Starting`](crate::ConnectErrorKind::Starting). Reading a log takes
    /// milliseconds; only an unavailable backplane takes all of the time.
    pub async fn started(&self) -> bool {
        let started = timeout(START_TIMEOUT, self.log_started()).await.is_ok();
        if !started {
            warn!(
                "failed to read the event log in time; streams are rejected until it has been read"
            );
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
                .sequencer
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
