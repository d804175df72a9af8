//! Reports the users that are connected to this node.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sse_core::{
    Target, UserId,
    access::Banned,
    backplane::Backoff,
    connections::{PresenceWatch, UserChanges},
};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::{
    cluster_state::ClusterState,
    messages::{ClusterMessage, Report, ReportPart},
};

/// Maximum number of users in a report. Even with names of maximum length, the report fits into a
/// signal of every backplane.
const USERS: usize = 256;

/// Maximum number of bans in a report.
const BANS: usize = 128;

/// Minimum interval between lists of all users, for any number of nodes that request a list.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Delays before the next attempt to report after failures.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Delay between two pages of a list, so that listeners keep up.
const PACE: Duration = Duration::from_millis(1);

/// Reports the users that are connected to this node, to this node's own state and to the other
/// nodes.
pub(crate) struct Announcer {
    shared: Arc<ClusterState>,
    watch: PresenceWatch,
    /// The number of the last report.
    number: u64,
    /// The number of streams in the last report.
    streams: usize,
    /// Set if the watch has missed changes: all users must be listed again with a new number.
    missed: bool,
    /// Time of the next attempt after a report could not be sent.
    retry_at: Option<Instant>,
    failures: u32,
    listed: Instant,
}

impl Announcer {
    pub(crate) fn new(shared: Arc<ClusterState>) -> Self {
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
            let is_requested =
                may_list && self.shared.list_requested.swap(false, Ordering::Relaxed);
            let is_retry_due = self.retry_at.is_some_and(|until| until <= Instant::now());
            if is_requested || is_retry_due || self.missed {
                self.list().await;
            } else {
                self.send_changes().await;
            }
        }
    }

    /// Lists all users page by page, together with changes that happen meanwhile.
    async fn list(&mut self) {
        self.listed = Instant::now();
        if self.retry_at.is_some_and(|until| until <= self.listed) {
            self.retry_at = None;
        }
        if std::mem::take(&mut self.missed) {
            // The hole in the numbers shows other nodes that their state is outdated.
            self.number += 1;
        }
        let mut bans = self.shared.manager.bans();
        let (mut cursor, mut first) = (None, true);
        loop {
            let page = self.shared.manager.users(cursor, USERS);
            cursor = page.next_cursor;
            let some_bans = bans.split_off(bans.len().saturating_sub(BANS));
            let last = cursor.is_none() && bans.is_empty();
            let users: Vec<_> = page.users;
            if first || last || !users.is_empty() || !some_bans.is_empty() {
                self.send_page(users, some_bans, (first, last)).await;
            }
            if last {
                return;
            }
            if cursor.is_none() {
                // Only bans are left; no user follows this cursor.
                cursor = Some(u32::MAX);
            }
            first = false;
            self.send_changes().await;
            sleep(PACE).await;
        }
    }

    async fn send_page(
        &mut self,
        users: Vec<(UserId, usize)>,
        bans: Vec<(Banned, Duration)>,
        (first, last): (bool, bool),
    ) {
        self.streams = self.shared.manager.count(&Target::All);
        let report = self.next_report(ReportPart::Page { first, last }, users, bans);
        self.send(report).await;
    }

    /// Reports changes, in as many reports as necessary.
    async fn send_changes(&mut self) {
        loop {
            // The cluster holds the manager, so the manager outlives the cluster.
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
            let bans = self.some_bans();
            if changes.users.is_empty() && bans.is_empty() && streams == self.streams {
                return;
            }
            self.streams = streams;
            let mut report = self.next_report(ReportPart::Changes, changes.users, bans);
            report.unique_users = (!more && !self.missed).then_some(unique_users as u64);
            self.send(report).await;
            if !more {
                return;
            }
        }
    }

    fn some_bans(&self) -> Vec<(Banned, Duration)> {
        let mut bans = self.shared.bans.lock();
        let rest = bans.len().saturating_sub(BANS);
        bans.split_off(rest)
    }

    fn next_report(
        &mut self,
        part: ReportPart,
        users: Vec<(UserId, usize)>,
        bans: Vec<(Banned, Duration)>,
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
            bans: bans
                .into_iter()
                .map(|(who, left)| (who, milliseconds(left)))
                .collect(),
        }
    }

    async fn send(&mut self, report: Report) {
        self.shared.report(self.shared.me, &report);
        if !self.shared.has_others() || self.retry_at.is_some() {
            return;
        }
        match self.shared.say(ClusterMessage::Report(report)).await {
            Ok(()) => {
                if std::mem::take(&mut self.failures) > 0 {
                    debug!("reports to other nodes recovered");
                }
            }
            Err(error) => {
                let error = &error as &dyn Error;
                if self.failures == 0 {
                    warn!(error, "failed to send a report to other nodes");
                }
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(Instant::now() + RETRY.delay(self.failures));
            }
        }
    }
}
