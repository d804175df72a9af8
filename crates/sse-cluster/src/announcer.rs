//! Saying who is connected to this node.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sse_core::{Banned, PresenceWatch, Target, UserChanges, UserId};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::{
    messages::{Message, Part, Report},
    shared::Shared,
};

/// Users in one report: with names as long as they may be, still a signal that every backplane
/// takes.
const USERS: usize = 256;

/// Users that are kept away in one report.
const AWAY: usize = 128;

/// All users are not listed more often than this, however many nodes ask.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Between two pages of a list, so that those who listen keep up.
const PACE: Duration = Duration::from_millis(1);

/// Says who is connected to this node: to this node's own state, and to the other nodes.
pub(crate) struct Announcer {
    shared: Arc<Shared>,
    watch: PresenceWatch,
    /// Of the last report.
    number: u64,
    /// The streams that were last told of.
    streams: usize,
    /// The watch has missed changes: all is to be listed, as something new.
    missed: bool,
    /// When there was a report that did not get out, the next try.
    retry_at: Option<Instant>,
    failures: u32,
    listed: Instant,
}

impl Announcer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let watch = shared.manager.watch_users();
        Self {
            watch,
            number: 0,
            streams: 0,
            missed: false,
            retry_at: None,
            failures: 0,
            listed: Instant::now(),
            shared,
        }
    }

    pub(crate) async fn run(mut self) {
        self.list().await;
        loop {
            sleep(self.shared.config.batch).await;
            let may_list = self.listed.elapsed() >= LIST_EVERY;
            let is_wanted = may_list && self.shared.list_wanted.swap(false, Ordering::Relaxed);
            let is_back = self.retry_at.is_some_and(|until| until <= Instant::now());
            if is_wanted || is_back || self.missed {
                self.list().await;
            } else {
                self.tell_changes().await;
            }
        }
    }

    /// Lists all users, page by page, and what changes meanwhile.
    async fn list(&mut self) {
        self.listed = Instant::now();
        if self.retry_at.is_some_and(|until| until <= self.listed) {
            self.retry_at = None;
        }
        if std::mem::take(&mut self.missed) {
            // A hole, by which others know that what they have is not to be trusted.
            self.number += 1;
        }
        let mut away = self.shared.manager.bans();
        let (mut cursor, mut first) = (None, true);
        loop {
            let page = self.shared.manager.users(cursor, USERS);
            cursor = page.next_cursor;
            let some_away = away.split_off(away.len().saturating_sub(AWAY));
            let last = cursor.is_none() && away.is_empty();
            let users: Vec<_> = page.users;
            if first || last || !users.is_empty() || !some_away.is_empty() {
                self.tell_page(users, some_away, (first, last)).await;
            }
            if last {
                return;
            }
            if cursor.is_none() {
                // Only users that are kept away are left; nobody stands behind this.
                cursor = Some(u32::MAX);
            }
            first = false;
            self.tell_changes().await;
            sleep(PACE).await;
        }
    }

    async fn tell_page(
        &mut self,
        users: Vec<(UserId, usize)>,
        away: Vec<(Banned, Duration)>,
        (first, last): (bool, bool),
    ) {
        self.streams = self.shared.manager.count(&Target::All);
        let report = self.next_report(Part::Page { first, last }, users, away);
        self.tell(report).await;
    }

    /// Tells of what has changed, in as many reports as it takes.
    async fn tell_changes(&mut self) {
        loop {
            // The manager is gone only after the cluster, which holds it.
            let Some(changes) = self.watch.take(USERS) else {
                return;
            };
            let UserChanges {
                more,
                missed,
                streams,
                unique_users,
                ..
            } = changes;
            self.missed |= missed;
            let away = self.some_away();
            if changes.users.is_empty() && away.is_empty() && streams == self.streams {
                return;
            }
            self.streams = streams;
            let mut report = self.next_report(Part::Changes, changes.users, away);
            report.unique_users = (!more && !self.missed).then_some(unique_users as u64);
            self.tell(report).await;
            if !more {
                return;
            }
        }
    }

    fn some_away(&self) -> Vec<(Banned, Duration)> {
        let mut away = self.shared.away.lock();
        let rest = away.len().saturating_sub(AWAY);
        away.split_off(rest)
    }

    fn next_report(
        &mut self,
        part: Part,
        users: Vec<(UserId, usize)>,
        away: Vec<(Banned, Duration)>,
    ) -> Report {
        self.number += 1;
        let milliseconds = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        Report {
            number: self.number,
            part,
            streams: self.streams as u64,
            unique_users: None,
            users: users
                .into_iter()
                .map(|(user, streams)| (user, u32::try_from(streams).unwrap_or(u32::MAX)))
                .collect(),
            away: away
                .into_iter()
                .map(|(who, left)| (who, milliseconds(left)))
                .collect(),
        }
    }

    async fn tell(&mut self, report: Report) {
        self.shared.report(self.shared.me, &report);
        if !self.shared.has_others() || self.retry_at.is_some() {
            return;
        }
        match self.shared.say(Message::Report(report)).await {
            Ok(()) => {
                if std::mem::take(&mut self.failures) > 0 {
                    debug!("other nodes hear of this one again");
                }
            }
            Err(error) => {
                let error = &error as &dyn Error;
                if self.failures == 0 {
                    warn!(error, "other nodes do not hear of this one");
                }
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(Instant::now() + pause(self.failures));
            }
        }
    }
}

/// How long to wait after so many failures: twice as long each time up to five seconds, of which a
/// random half.
fn pause(failures: u32) -> Duration {
    let most = Duration::from_millis(100 << failures.min(6)).min(Duration::from_secs(5));
    most.mul_f64(rand::random_range(0.5..=1.0))
}
