//! Users that were told to stay away.

use std::{collections::HashMap, time::Duration};

use crate::name::UserId;

/// At most this many users are kept away at once; beyond it the one whose term ends first may return.
const MOST_AWAY: usize = 10_000;

/// Users that were told to stay away.
#[derive(Debug, Default)]
pub(crate) struct Away {
    /// Until which uptime of the manager, in milliseconds.
    until: HashMap<UserId, u64>,
}

impl Away {
    /// Keeps a user away for a while. Goes by uptime, not by [`Millis`](crate::clock::Millis): entries may be older than those can tell apart.
    pub(crate) fn keep(&mut self, user: UserId, uptime_ms: u64, duration: Duration) {
        self.until.retain(|_, until| uptime_ms < *until);
        if self.until.len() >= MOST_AWAY {
            let soonest = self.until.iter().min_by_key(|(_, until)| **until).map(|(user, _)| user.clone());
            soonest.map(|user| self.until.remove(&user));
        }
        let duration = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.until.insert(user, uptime_ms.saturating_add(duration));
    }

    pub(crate) fn is_away(&mut self, user: &UserId, uptime_ms: u64) -> bool {
        let Some(until) = self.until.get(user) else { return false };
        if uptime_ms < *until {
            return true;
        }
        self.until.remove(user);
        false
    }

    pub(crate) fn left(&self, user: &UserId, uptime_ms: u64) -> Option<Duration> {
        let left = self.until.get(user)?.checked_sub(uptime_ms)?;
        Some(Duration::from_millis(left))
    }

    pub(crate) fn all(&self, uptime_ms: u64) -> Vec<(UserId, Duration)> {
        let left = |until: u64| Duration::from_millis(until.saturating_sub(uptime_ms));
        let away = self.until.iter().filter(|(_, until)| uptime_ms < **until);
        away.map(|(user, until)| (user.clone(), left(*until))).collect()
    }
}
