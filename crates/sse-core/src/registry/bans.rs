//! The ban list.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::id::{caller::Caller, login_id::LoginId, names::UserId};

/// Maximum number of bans. Beyond it, the ban that expires first is lifted early.
const MAX_BANS: usize = 10_000;

/// A user or sign-in that can be banned.
///
/// ```
/// use std::time::Duration;
///
/// use sse_core::{Handshake, Manager, UserId, access::Banned};
///
/// let manager = Manager::builder().build()?;
/// manager.ban(UserId::new("42")?, Duration::from_secs(60));
///
/// assert_eq!(manager.bans()[0].0, Banned::User(UserId::new("42")?));
/// assert!(manager.connect(Handshake::new().user("42")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Banned {
    /// A user, on every sign-in.
    User(UserId),
    /// One sign-in: one browser of a user, or one device.
    Login(LoginId),
}

/// The ban list, with an expiry for each ban.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    /// Expiry of each ban as uptime of the manager, in milliseconds.
    until: HashMap<Banned, u64>,
}

impl From<UserId> for Banned {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<LoginId> for Banned {
    fn from(login: LoginId) -> Self {
        Self::Login(login)
    }
}

impl Bans {
    /// Adds a ban, unless one exists that lasts longer.
    ///
    /// Uses uptime instead of [`Millis`](crate::clock::Millis), because a ban can last longer than
    /// the range in which `Millis` values are comparable.
    pub(crate) fn ban(&mut self, who: Banned, uptime_ms: u64, duration: Duration) {
        self.until.retain(|_, until| uptime_ms < *until);
        if self
            .left(&who, uptime_ms)
            .is_some_and(|left| left >= duration)
        {
            return;
        }
        if self.until.len() >= MAX_BANS {
            let soonest = self
                .until
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(who, _)| who.clone());
            soonest.map(|who| self.until.remove(&who));
        }
        let duration = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.until.insert(who, uptime_ms.saturating_add(duration));
    }

    /// Returns `true` if the caller is banned, as a user or by its sign-in.
    pub(crate) fn is_banned(&mut self, caller: &Caller, uptime_ms: u64) -> bool {
        if self.until.is_empty() {
            return false;
        }
        let user = caller.user.clone().map(Banned::User);
        let login = caller.login.map(Banned::Login);
        user.into_iter()
            .chain(login)
            .any(|who| self.is_active(&who, uptime_ms))
    }

    fn is_active(&mut self, who: &Banned, uptime_ms: u64) -> bool {
        let Some(until) = self.until.get(who) else {
            return false;
        };
        if uptime_ms < *until {
            return true;
        }
        self.until.remove(who);
        false
    }

    pub(crate) fn left(&self, who: &Banned, uptime_ms: u64) -> Option<Duration> {
        let left = self.until.get(who)?.checked_sub(uptime_ms)?;
        Some(Duration::from_millis(left))
    }

    pub(crate) fn all(&self, uptime_ms: u64) -> Vec<(Banned, Duration)> {
        let left = |until: u64| Duration::from_millis(until.saturating_sub(uptime_ms));
        let active = self.until.iter().filter(|(_, until)| uptime_ms < **until);
        active
            .map(|(who, until)| (who.clone(), left(*until)))
            .collect()
    }
}
