//! Which users' streams changed in number.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Weak},
};

use crate::{
    id::names::UserId,
    manager::{Manager, inner::Inner},
    registry::{groups::GroupKind, user_changes::Changed},
};

/// Notices which users' streams change in number; made by [`Manager::watch_users`].
///
/// It costs where streams come and go, not while they stay, and remembers a bounded number of
/// users. Dropped, it remembers nothing.
pub struct PresenceWatch {
    inner: Weak<Inner>,
    id: u64,
}

/// What a [`PresenceWatch`] noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserChanges {
    /// Users, each once, and how many live streams they have now.
    pub users: Vec<(UserId, usize)>,
    /// Whether more users changed than were taken.
    pub more: bool,
    /// Whether more users changed than a watch remembers: what it knew is to be replaced by
    /// [`Manager::users`]. Said once.
    pub missed: bool,
    /// Live streams, anonymous ones included, of the same moment.
    pub streams: usize,
    /// Users with at least one live stream, of the same moment.
    pub unique_users: usize,
}

/// Part of the list of all users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserPage {
    /// Users and how many live streams they have.
    pub users: Vec<(UserId, usize)>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<u32>,
}

impl Manager {
    /// Watches which users' streams change in number, from now on.
    #[must_use]
    pub fn watch_users(&self) -> PresenceWatch {
        let id = rand::random();
        let changed = Changed {
            id,
            users: HashSet::new(),
            missed: false,
        };
        self.inner
            .order
            .lock()
            .registry
            .groups
            .watches
            .push(changed);
        PresenceWatch {
            inner: Arc::downgrade(&self.inner),
            id,
        }
    }

    /// Users and how many live streams they have, at most about `limit` on a page. A page is of one
    /// moment, a listing of several pages is not: users that come or go meanwhile are in it or not,
    /// all others are in it: once, but one who gets a second stream meanwhile may be in it twice,
    /// with the newer number later.
    ///
    /// Pages may have fewer users than the limit, or none, and be followed by others.
    #[must_use]
    pub fn users(&self, cursor: Option<u32>, limit: usize) -> UserPage {
        let (users, next_cursor) = self
            .inner
            .order
            .lock()
            .page_of_users(cursor.unwrap_or(0), limit);
        UserPage { users, next_cursor }
    }
}

impl PresenceWatch {
    /// Takes what changed: at most `most` users. `None` when the manager is gone.
    ///
    /// What changes a user's number later is noticed again, so that the numbers of one who takes
    /// and of one who lists [users](Manager::users) in turn are the newer, the later they were got.
    pub fn take(&mut self, most: usize) -> Option<UserChanges> {
        let inner = self.inner.upgrade()?;
        let mut order = inner.order.lock();
        let groups = &mut order.registry.groups;
        let watch = groups
            .watches
            .iter_mut()
            .find(|watch| watch.id == self.id)?;
        let names = watch.take(most);
        let (more, missed) = (!watch.users.is_empty(), std::mem::take(&mut watch.missed));
        let registry = &order.registry;
        let with_count = |name: Arc<str>| {
            let count = registry.members(GroupKind::User, &name).len();
            (UserId::from_text(name), count)
        };
        let users = names.into_iter().map(with_count).collect();
        let unique_users = registry.groups.users();
        Some(UserChanges {
            users,
            more,
            missed,
            streams: registry.streams.len(),
            unique_users,
        })
    }
}

impl Drop for PresenceWatch {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        inner
            .order
            .lock()
            .registry
            .groups
            .watches
            .retain(|watch| watch.id != self.id);
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserWatch").finish_non_exhaustive()
    }
}
