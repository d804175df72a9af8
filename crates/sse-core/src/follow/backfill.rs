//! Reads of older parts of the log, for all streams that catch up.

use std::{
    error::Error,
    future::poll_fn,
    ops::RangeBounds,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::Poll,
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use crate::{
    backplane::{Backplane, BackplaneError, Page, RESPONSE_TIMEOUT, ReadLimit},
    event::cursor::{Cursor, Position},
    follow::{
        failing::{Failing, FailureVerdict},
        records,
    },
    log::{fetched_page::FetchedPage, page_cache::PageCache, shares::Party},
    manager::inner::Inner,
};

/// Maximum size of one read.
const PAGE: ReadLimit = ReadLimit {
    entries: 1024,
    bytes: 1 << 20,
};

/// Interval at which an idle reader checks if the manager still exists.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of reads in flight.
const READS: usize = 8;

/// Duration after which a read no longer prevents another read from starting.
const SLOW: Duration = Duration::from_millis(100);

/// Duration after which streams a little further on no longer wait for a read.
const STUCK: Duration = Duration::from_secs(1);

/// A read in flight.
struct BackfillRead {
    party: Party,
    after: Cursor,
    began: Instant,
    answer: Pin<Box<dyn Future<Output = ReadResult> + Send>>,
}

type ReadResult = Result<Page, BackplaneError>;

impl PageCache {
    /// Runs the requested reads, until the manager is dropped.
    pub(crate) async fn run(
        manager: Weak<Inner>,
        reader: Arc<Self>,
        backplane: Arc<dyn Backplane>,
    ) {
        let mut reading = Backfill {
            manager,
            reader,
            backplane,
            in_flight: Vec::new(),
            failing: Failing::default(),
        };
        if let Some(inner) = reading.manager.upgrade() {
            inner.with_sequencer(|sequencer, _| sequencer.begin_reading());
        }
        while let Some(inner) = reading.manager.upgrade() {
            reading.begin(&inner).await;
            drop(inner);
            let Some((read, answer)) = reading.next().await else {
                continue;
            };
            let Some(inner) = reading.manager.upgrade() else {
                return;
            };
            reading.take(&inner, read.party, read.after, answer).await;
        }
    }
}

/// The reads in flight of one manager.
struct Backfill {
    manager: Weak<Inner>,
    reader: Arc<PageCache>,
    backplane: Arc<dyn Backplane>,
    /// Reads in flight, the oldest first.
    in_flight: Vec<BackfillRead>,
    failing: Failing,
}

impl Backfill {
    /// Starts the reads that can start now, and wakes streams whose part is already cached.
    async fn begin(&mut self, inner: &Inner) {
        for after in self.failing.due(Instant::now()) {
            inner.with_sequencer(|sequencer, _| sequencer.resume_part(after));
        }
        while self.has_room() {
            let Some((party, after)) = self.wanted(inner) else {
                return;
            };
            if let Some(found) = self.reader.get(&after) {
                let until = found.map_or_else(|lost| lost.to.position, |segment| segment.last);
                wake(inner, after.position..until).await;
                continue;
            }
            inner.with_sequencer(|sequencer, _| sequencer.begin_read(party, after.position));
            let (backplane, cursor) = (Arc::clone(&self.backplane), after.clone());
            let answer = Box::pin(async move {
                let read = timeout(RESPONSE_TIMEOUT, backplane.read(&cursor, PAGE)).await;
                read.unwrap_or_else(|late| Err(BackplaneError::unavailable(RESPONSE_TIMEOUT, late)))
            });
            self.in_flight.push(BackfillRead {
                party,
                after,
                began: Instant::now(),
                answer,
            });
        }
    }

    /// Returns the next read, unless a read in flight is likely to return the same entries.
    fn wanted(&self, inner: &Inner) -> Option<(Party, Cursor)> {
        let span = self.reader.state.lock().span;
        let brings = |read: &BackfillRead, place| {
            let span = if read.began.elapsed() < STUCK {
                span
            } else {
                Position::ZERO
            };
            read.after.position.reaches(span, place)
        };
        let may_begin = |place| !self.in_flight.iter().any(|read| brings(read, place));
        inner.with_sequencer(|sequencer, tx| sequencer.wanted_part(may_begin, tx))
    }

    /// Returns `true` if another read can start. Slow reads do not prevent it, so that a slow part
    /// of the log does not delay streams that need other parts.
    fn has_room(&self) -> bool {
        let is_slow = |read: &BackfillRead| read.began.elapsed() >= SLOW;
        self.in_flight.len() < READS && self.in_flight.iter().all(is_slow)
    }

    /// Waits for the next read to finish. Returns `None` if other work can be due.
    async fn next(&mut self) -> Option<(BackfillRead, ReadResult)> {
        let mut wakes_at = Instant::now() + CHECK_INTERVAL;
        if let Some(last) = self
            .in_flight
            .last()
            .filter(|last| last.began.elapsed() < SLOW)
        {
            wakes_at = wakes_at.min(last.began + SLOW);
        }
        wakes_at = self
            .failing
            .next_due()
            .map_or(wakes_at, |due| wakes_at.min(due));
        let reader = Arc::clone(&self.reader);
        let mut asked = pin!(reader.asked.notified());
        let mut over = pin!(sleep_until(wakes_at));
        let in_flight = &mut self.in_flight;
        poll_fn(|cx| {
            for at in 0..in_flight.len() {
                if let Poll::Ready(answer) = in_flight[at].answer.as_mut().poll(cx) {
                    return Poll::Ready(Some((in_flight.remove(at), answer)));
                }
            }
            if asked.as_mut().poll(cx).is_ready() || over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }

    async fn take(&mut self, inner: &Inner, party: Party, after: Cursor, read: ReadResult) {
        inner.with_sequencer(|sequencer, _| sequencer.end_read(party));
        let place = after.position;
        match self.keep(inner, party, &after, read) {
            Ok(until) => {
                self.failing.forget(place);
                wake(inner, place..until).await;
            }
            Err(error) => {
                if self.fail(inner, &after, &error) {
                    wake(inner, place..=place).await;
                }
            }
        }
    }

    /// Caches the result of a read. Returns the position up to which streams have a result.
    fn keep(
        &self,
        inner: &Inner,
        party: Party,
        after: &Cursor,
        read: ReadResult,
    ) -> Result<Position, BackplaneError> {
        let page = match read {
            Ok(page) => page,
            Err(BackplaneError::Trimmed { trimmed }) if trimmed > after.position => {
                self.reader.state.lock().trimmed = Some(Cursor::new(after.epoch.clone(), trimmed));
                return Ok(trimmed);
            }
            Err(BackplaneError::Damaged { to, source }) if to > after.position => {
                let error = &*source as &dyn Error;
                if inner.with_sequencer(|sequencer, _| sequencer.note_damage(after, to)) {
                    warn!(%after, %to, error, "failed to read a part of the event log; clients receive a gap event");
                }
                return Ok(to);
            }
            Err(error) => return Err(error),
        };
        let last = page
            .entries
            .last()
            .map(|entry| entry.position)
            .filter(|last| *last > after.position);
        let nothing = || {
            BackplaneError::unavailable(
                CHECK_INTERVAL,
                "the backplane returned no entry after an old position",
            )
        };
        let last = last.ok_or_else(nothing)?;
        let segment = FetchedPage::new(
            after.clone(),
            last,
            records::read_records(inner, after, &page.entries),
        );
        debug!(%after, %last, "read an older part of the event log");
        self.reader.state.lock().keep(segment, party);
        Ok(last)
    }

    /// Schedules a retry of a position. Returns `true` if the position was tried long enough, so
    /// that its streams continue without the unreadable entries.
    fn fail(&mut self, inner: &Inner, after: &Cursor, error: &BackplaneError) -> bool {
        let is_unavailable = inner.is_log_unavailable();
        let (place, error) = (after.position, error as &dyn Error);
        let verdict = self
            .failing
            .note(place, Instant::now(), is_unavailable, |tries| {
                inner.jitter.pause(tries)
            });
        if verdict == FailureVerdict::TryAgain {
            debug!(%after, error, "failed to read an older part of the event log; retrying");
            inner.with_sequencer(|sequencer, _| sequencer.suspend_part(place));
            return false;
        }
        warn!(%after, error, "abandoned an unreadable part of the event log; clients receive a gap event");
        inner.with_sequencer(|sequencer, _| sequencer.give_up_part(after));
        true
    }
}

/// Wakes all streams that wait for records after positions within a range.
async fn wake(inner: &Inner, within: impl RangeBounds<Position> + Clone) {
    while !inner.with_sequencer(|sequencer, tx| sequencer.wake_for_parts(&within, tx)) {
        yield_now().await;
    }
}
