//! The task that follows a backplane's log.

pub(crate) mod acceptance;
pub(crate) mod backfill;
pub(crate) mod failing;
pub(crate) mod records;
pub(crate) mod signals;

use std::{
    error::Error,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use crate::{
    backplane::{
        Backplane, BackplaneError, Batch, Entry, RESPONSE_TIMEOUT,
        envelope::{Envelope, PROBE},
        receipt::Receipt,
        within,
    },
    clock::{log_time, unix_ms},
    dialect::message::Message,
    event::{
        cursor::{Cursor, Mark, Position},
        system,
    },
    id::target::Target,
    log::{
        Log,
        gap::{Gap, GapReason},
        page_cache::PageCache,
    },
    manager::{
        broadcast::Sweep,
        driver::{Driver, Task},
        inner::Inner,
    },
    sequencer::Sequenced,
};

/// Timeout for the next entries of a tail, and for the bounds while a tail is open.
const SILENCE: Duration = Duration::from_secs(5);

/// Interval between requests for the bounds of the log.
const BOUNDS_EVERY: Duration = Duration::from_secs(5);

/// Maximum number of events that are still being delivered, each to many streams, while the
/// follower continues in the log.
const SWEEPS: usize = 16;

/// The manager was dropped.
#[derive(Debug)]
struct Gone;

impl Inner {
    /// Ensures that the manager follows the log of its backplane.
    pub(crate) fn follow(self: &Arc<Self>) {
        let Some(backplane) = &self.backplane else {
            return;
        };
        Driver::run(self, Task::Follower, Self::follow, |manager, _| {
            Follower::new(manager, Arc::clone(backplane)).run()
        });
        Driver::run(
            self,
            Task::Listener,
            Self::follow,
            |manager, was_started| signals::listen(manager, Arc::clone(backplane), was_started),
        );
        Driver::run(self, Task::Prober, Self::follow, |manager, _| {
            acceptance::probe(manager, Arc::clone(backplane))
        });
        Driver::run(self, Task::Reader, Self::follow, |manager, _| {
            PageCache::run(manager, Arc::clone(&self.reader), Arc::clone(backplane))
        });
    }
}

/// The follower of a backplane's log for one manager.
struct Follower {
    manager: Weak<Inner>,
    backplane: Arc<dyn Backplane>,
    /// Position up to which every entry was delivered.
    at: Option<Cursor>,
    sweeps: JoinSet<()>,
    failures: u32,
    /// `true` if the follower has just skipped damage; `passed` is its position after the previous
    /// skip.
    has_jumped: bool,
    passed: Option<Position>,
    bounds_checked_at: Instant,
    /// End of the log at the last request for the bounds, and the uptime of the manager at that
    /// time. `None` once the node has reached it.
    goal: Option<(Position, u64)>,
    /// `true` if a tail has responded since the last goal was reached. If a backplane reports
    /// bounds but fails every tail, its log is not followed.
    tail_answered: bool,
}

/// The reason why the log is no longer followed.
enum FollowStop {
    Gone,
    Failed(BackplaneError),
}

impl From<BackplaneError> for FollowStop {
    fn from(error: BackplaneError) -> Self {
        Self::Failed(error)
    }
}

impl From<Gone> for FollowStop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl Follower {
    fn new(manager: Weak<Inner>, backplane: Arc<dyn Backplane>) -> Self {
        Self {
            manager,
            backplane,
            at: None,
            sweeps: JoinSet::new(),
            failures: 0,
            has_jumped: false,
            passed: None,
            bounds_checked_at: Instant::now(),
            goal: None,
            tail_answered: true,
        }
    }

    async fn run(mut self) {
        let Ok(inner) = self.manager() else { return };
        // Set if the log was followed before: the runtime of an earlier follower has shut down.
        self.at = inner.log_head_if_started();
        drop(inner);
        loop {
            let Err(stop) = self.follow().await;
            let FollowStop::Failed(error) = stop else {
                return;
            };
            if self.passed
                < self
                    .at
                    .as_ref()
                    .map(|at| at.position)
                    .filter(|_| self.has_jumped)
            {
                // The log is available, and the follower continues after the gap. Without progress,
                // the error is handled like an unavailable log.
                (self.passed, self.has_jumped) = (self.at.as_ref().map(|at| at.position), false);
                continue;
            }
            self.has_jumped = false;
            if self.lost(&error).await.is_err() {
                return;
            }
            self.failures += 1;
            let Ok(pause) = self
                .manager()
                .map(|inner| inner.jitter.pause(self.failures))
            else {
                return;
            };
            sleep(pause).await;
        }
    }

    fn manager(&self) -> Result<Arc<Inner>, Gone> {
        self.manager.upgrade().ok_or(Gone)
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, FollowStop> {
        let after = self.begin().await?;
        let backplane = Arc::clone(&self.backplane);
        let mut tail = match within(RESPONSE_TIMEOUT, backplane.tail(&after)).await {
            Ok(tail) => tail,
            Err(error) => return Err(self.jump(error).await?.into()),
        };
        // At the end of a quiet log, a tail does not resolve for about a second.
        self.reach_goal().await?;
        loop {
            let asked_ms = self.manager()?.clock.uptime_ms();
            let batch = match within(SILENCE, tail.next()).await {
                Ok(batch) => batch,
                Err(error) => return Err(self.jump(error).await?.into()),
            };
            self.tail_answered = true;
            self.apply(batch, asked_ms).await?;
            if self.bounds_checked_at.elapsed() >= BOUNDS_EVERY {
                self.check_bounds().await?;
            }
        }
    }

    /// Finds the position to continue from.
    async fn begin(&mut self) -> Result<Cursor, FollowStop> {
        let asked_ms = self.manager()?.clock.uptime_ms();
        let bounds = within(RESPONSE_TIMEOUT, self.backplane.bounds()).await?;
        self.goal = self.tail_answered.then_some((bounds.head, asked_ms));
        let head = Cursor::new(bounds.epoch.clone(), bounds.head);
        let after = match self.at.take() {
            Some(at) if at.epoch == bounds.epoch && at.position <= bounds.head => at,
            Some(_) => {
                self.restart(GapReason::Epoch, head.clone()).await?;
                head
            }
            None => {
                let held = self.manager()?.config.log.unwrap_or_default().entries as u64;
                let from = within(RESPONSE_TIMEOUT, self.backplane.rewind(held)).await?;
                let inner = self.manager()?;
                let restart = |log: &mut Log| log.window.restart(from.clone());
                let remains =
                    inner.with_sequencer(|sequencer, _| sequencer.log.as_mut().map(restart));
                drop(remains);
                from
            }
        };
        self.at = Some(after.clone());
        self.note_trimmed(bounds.trimmed)?;
        Ok(after)
    }

    /// Continues after missing entries, if the error reports any.
    async fn jump(&mut self, error: BackplaneError) -> Result<BackplaneError, Gone> {
        let (to, reason) = match &error {
            BackplaneError::Trimmed { trimmed } => (*trimmed, GapReason::Trimmed),
            BackplaneError::Damaged { to, .. } => (*to, GapReason::Damaged),
            _ => return Ok(error),
        };
        if let Some(at) = self.at.clone().filter(|at| to > at.position) {
            if reason == GapReason::Damaged {
                self.manager()?
                    .with_sequencer(|sequencer, _| sequencer.note_damage(&at, to));
                warn!(after = %at, %to, error = error.source(), "failed to read a part of the event log; clients receive a gap event");
                self.has_jumped = true;
            }
            self.restart(reason, Cursor::new(at.epoch, to)).await?;
        }
        // A log of another epoch, or one that ends before the node's position, is detected by its
        // bounds.
        Ok(error)
    }

    /// Continues after a hole or in a replaced log, and reports the gap to every stream.
    async fn restart(&mut self, reason: GapReason, to: Cursor) -> Result<(), Gone> {
        let inner = self.manager()?;
        self.at = Some(to.clone());
        // In one critical section, so that no stream receives the new position before the gap.
        let restarted = inner.with_sequencer(|sequencer, tx| {
            let log = sequencer.log.as_mut()?;
            let from = log.window.head_cursor();
            if to.epoch != from.epoch || to.position < from.position {
                log.holes.clear();
            }
            let remains = log.window.restart(to.clone());
            if !log.is_started() {
                return Some((from, remains, None));
            }
            log.counts.gaps[reason as usize] += 1;
            let gap = Gap::new(reason, Some(from.to_id()), to.clone()).to_event();
            let message = Message::new(gap, None, Mark::Jump(log.window.place(to.position)));
            Some((
                from,
                remains,
                Some(sequencer.publish(&Target::All, &[], message, tx)),
            ))
        });
        let (from, remains, placed) = restarted.ok_or(Gone)?;
        drop(remains);
        warn!(%from, %to, reason = GapReason::NAMES[reason as usize], "continued after a gap in the event log");
        if let Some(placed) = placed {
            placed.finish(&inner).await;
        }
        records::wake_for_head(&inner).await;
        while !inner.with_sequencer(|sequencer, tx| sequencer.wake_for_parts(&.., tx)) {
            yield_now().await;
        }
        Ok(())
    }

    async fn check_bounds(&mut self) -> Result<(), FollowStop> {
        let bounds = match within(SILENCE, self.backplane.bounds()).await {
            Ok(bounds) => bounds,
            Err(error) => {
                // The tail detects more reliably if the log is unavailable.
                debug!(
                    error = &error as &dyn Error,
                    "failed to read the bounds of the event log"
                );
                self.bounds_checked_at = Instant::now();
                return Ok(());
            }
        };
        if self.at.as_ref().is_some_and(|at| at.epoch != bounds.epoch) {
            return Err(BackplaneError::Epoch {
                current: bounds.epoch,
            }
            .into());
        }
        self.note_trimmed(bounds.trimmed)?;
        Ok(())
    }

    fn note_trimmed(&mut self, trimmed: Position) -> Result<(), Gone> {
        self.bounds_checked_at = Instant::now();
        let inner = self.manager()?;
        inner.with_sequencer(|sequencer, _| {
            let Some(log) = &mut sequencer.log else {
                return;
            };
            log.holes.trim(trimmed);
            if let Some(remote) = &mut log.remote {
                remote.trimmed = trimmed;
            }
        });
        Ok(())
    }

    async fn apply(&mut self, batch: Batch, asked_ms: u64) -> Result<(), Gone> {
        let inner = self.manager()?;
        let moved = !batch.entries.is_empty();
        for entry in batch.entries {
            // Whatever the backplane returns, no entry is delivered twice or out of order.
            if self
                .at
                .as_ref()
                .is_some_and(|at| entry.position <= at.position)
            {
                warn!(position = %entry.position, "skipped an entry of the event log that was already delivered");
                continue;
            }
            self.pass_on(&inner, &entry).await;
            if let Some(at) = &mut self.at {
                at.position = entry.position;
            }
        }
        if batch.at_head {
            self.goal = None;
            self.failures = 0;
            self.synced(&inner, asked_ms).await;
        } else {
            self.reach_goal().await?;
        }
        if moved || batch.at_head {
            records::wake_for_head(&inner).await;
        }
        Ok(())
    }

    /// Marks the log as followed to its end if the node has reached the end that the last bounds
    /// reported.
    async fn reach_goal(&mut self) -> Result<(), Gone> {
        let (Some((head, asked_ms)), Some(at)) = (self.goal, &self.at) else {
            return Ok(());
        };
        if at.position < head {
            return Ok(());
        }
        self.goal = None;
        self.tail_answered = false;
        let inner = self.manager()?;
        self.synced(&inner, asked_ms).await;
        records::wake_for_head(&inner).await;
        Ok(())
    }

    async fn pass_on(&mut self, inner: &Arc<Inner>, entry: &Entry) {
        let Some(at) = &self.at else { return };
        let envelope = records::read_envelope(inner, &at.epoch, at.position, entry);
        let is_probe = entry.payload.first() == Some(&PROBE);
        let Envelope {
            ticket,
            published_at,
            target,
            except,
            event,
        } = envelope;
        let collapse = inner.collapse(&event);
        let age = unix_ms().saturating_sub(published_at);
        let placed = inner.with_sequencer(|sequencer, tx| {
            let at_ms = log_time(tx.uptime_ms).saturating_sub(age);
            let log = sequencer.log.as_mut()?;
            let is_live = log.is_started();
            let (number, message) = log.record(
                (&target, &except),
                (event, collapse),
                Some(entry.position),
                at_ms,
            );
            if !is_live || is_probe {
                log.window.keep(number, Arc::new(message));
                return None;
            }
            Some(sequencer.publish_record((&target, &except), number, message, tx))
        });
        let receipt = match placed {
            // Before the start, no streams are connected.
            None => Receipt::default(),
            Some(Sequenced::Done(receipt)) => receipt,
            Some(Sequenced::Sweeping(job, receipt)) => {
                // Before the wait, so that the publish completes if the task is dropped.
                let sweep = Sweep::new(inner, job).resolving(ticket, receipt.matched);
                while self.sweeps.len() >= SWEEPS {
                    self.sweeps.join_next().await;
                }
                self.sweeps.spawn(sweep.finish());
                while self.sweeps.try_join_next().is_some() {}
                return;
            }
        };
        inner.tickets.resolve(ticket, receipt.matched);
    }

    /// Records that every entry up to the end of the log has been delivered.
    async fn synced(&mut self, inner: &Arc<Inner>, asked_ms: u64) {
        let name = self.backplane.name();
        let notice = inner.with_sequencer(|sequencer, tx| {
            let log = sequencer.log.as_mut()?;
            let head = log.window.head_cursor();
            let remote = log.remote.as_mut()?;
            remote.synced_ms = asked_ms;
            if !std::mem::replace(&mut remote.started, true) {
                info!(backplane = name, %head, "backplane connected");
            }
            std::mem::take(&mut remote.is_unavailable)
                .then(|| sequencer.send_to_all(system::restored(), tx))
        });
        inner.log_started.notify_waiters();
        if let Some(notice) = notice {
            info!(backplane = name, "backplane recovered");
            inner.acceptance.recovered();
            notice.finish(inner).await;
        }
    }

    async fn lost(&mut self, error: &BackplaneError) -> Result<(), Gone> {
        let inner = self.manager()?;
        let notice = inner.with_sequencer(|sequencer, tx| {
            let log = sequencer.log.as_mut()?;
            log.counts.reconnects += 1;
            let remote = log.remote.as_mut()?;
            let is_news =
                remote.started && !std::mem::replace(&mut remote.is_unavailable, remote.started);
            is_news.then(|| sequencer.send_to_all(system::degraded(), tx))
        });
        self.log_failure(notice.is_some(), error);
        if let Some(notice) = notice {
            notice.finish(&inner).await;
        }
        Ok(())
    }

    fn log_failure(&self, is_news: bool, error: &BackplaneError) {
        let (backplane, error) = (self.backplane.name(), error as &dyn Error);
        match (is_news, self.failures) {
            (true, _) => warn!(backplane, error, "backplane unavailable"),
            (false, 0) => warn!(backplane, error, "failed to reach the backplane"),
            (false, _) => debug!(backplane, error, "failed to reach the backplane"),
        }
    }
}
