//! Reading older parts of the log, for all streams that catch up.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    task::yield_now,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{
    backplane::{Backplane, BackplaneError, Page, ReadLimit},
    cursor::Cursor,
    gap::GapReason,
    inner::Inner,
    order::Order,
    segment::Segment,
    sync::Mutex,
    throttle::{INTERVAL, Throttle},
    turn::Turn,
};

/// Limits how often a part that cannot be read is logged: every client that returns may ask for it.
static FAILURES: Throttle = Throttle::new(INTERVAL);

/// How much is read at once.
const PAGE: ReadLimit = ReadLimit { entries: 1024, bytes: 1 << 20 };

/// So much is kept of what was read, in memory.
const KEPT_BYTES: usize = 32 << 20;

/// No answer within this time is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a reader with nothing to read looks whether the manager still lives.
const LOOK: Duration = Duration::from_secs(1);

/// Reads older parts of the log. One read is under way at a time, and every stream that is in the part that came takes from it: ten thousand
/// clients that come back together read the log about once.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The latest last.
    segments: VecDeque<Arc<Segment>>,
    bytes: usize,
    /// The log holds only what is behind this.
    trimmed: Option<Cursor>,
    reads: u64,
}

/// What follows a cursor cannot be had.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub(crate) reason: GapReason,
    /// Where to go on.
    pub(crate) to: Cursor,
}

impl Reader {
    /// The part of the log that has what follows a cursor, or what became of it; `None` where it has to be read.
    pub(crate) fn get(&self, after: &Cursor) -> Option<Result<Arc<Segment>, Lost>> {
        let state = self.state.lock();
        if let Some(segment) = state.segments.iter().find(|segment| segment.follows(after)) {
            return Some(Ok(Arc::clone(segment)));
        }
        if let Some(to) = &state.trimmed
            && to.epoch == after.epoch
            && after.position < to.position
        {
            return Some(Err(Lost { reason: GapReason::Trimmed, to: to.clone() }));
        }
        None
    }

    /// Has read what a stream [waits](Order::wait_for_part) for, which is woken then.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Reads what is asked for, as long as the turn lasts.
    pub(crate) async fn run(turn: Turn, reader: Arc<Self>, backplane: Arc<dyn Backplane>) {
        let mut failures = 0;
        while let Ok(inner) = turn.manager() {
            let Some(after) = inner.with_order(Order::wanted_part) else {
                drop(inner);
                drop(timeout(LOOK, reader.asked.notified()).await);
                continue;
            };
            if let Some(found) = reader.get(&after) {
                failures = 0;
                let until = found.map_or_else(|lost| lost.to.position, |segment| segment.last);
                while !inner.with_order(|order, hold| order.wake_for_parts(Some(until), hold)) {
                    yield_now().await;
                }
                continue;
            }
            drop(inner);
            let read = timeout(PATIENCE, backplane.read(&after, PAGE)).await;
            let read = read.unwrap_or_else(|late| Err(BackplaneError::unavailable(PATIENCE, late)));
            // What was read by one who is out of turn somebody else reads.
            let Ok(inner) = turn.manager() else { return };
            if !reader.keep(&inner, after, read) {
                failures += 1;
                let pause = inner.jitter.pause(failures);
                drop(inner);
                sleep(pause).await;
            }
        }
    }

    fn keep(&self, inner: &Inner, after: Cursor, read: Result<Page, BackplaneError>) -> bool {
        let page = match read {
            Ok(page) => page,
            Err(BackplaneError::Trimmed { trimmed }) => {
                self.state.lock().trimmed = Some(Cursor::new(after.epoch, trimmed));
                return true;
            }
            Err(error) => {
                // Of another epoch the streams hear when the manager does.
                if let Some(left_out) = FAILURES.admit("read") {
                    warn!(%after, error = &error as &dyn std::error::Error, left_out, "an older part of the log cannot be read");
                }
                return false;
            }
        };
        let Some(last) = page.entries.last().map(|entry| entry.position) else { return false };
        let records =
            page.entries.iter().filter_map(|entry| inner.read_record(entry, &after.epoch)).collect();
        let segment = Segment::new(after, last, records);
        debug!(after = %segment.after, %last, "read an older part of the log");
        let mut state = self.state.lock();
        state.reads += 1;
        state.bytes += segment.bytes();
        state.segments.push_back(Arc::new(segment));
        while state.bytes > KEPT_BYTES && state.segments.len() > 1 {
            let oldest = state.segments.pop_front();
            state.bytes -= oldest.map_or(0, |oldest| oldest.bytes());
        }
        true
    }

    /// How many parts were read.
    pub(crate) fn reads(&self) -> u64 {
        self.state.lock().reads
    }
}
