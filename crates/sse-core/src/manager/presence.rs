//! Changes in each user's number of streams.

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

/// A watch for changes in each user's number of streams, created by [`Manager::watch_users`].
///
/// A watch costs only when streams connect or end, and remembers at most 65,536 changed users.
/// Dropping it ends the watch.
///
/// ```
/// use sse_core::{Handshake, Manager, UserId};
///
/// let manager = Manager::builder().build()?;
/// let mut watch = manager.watch_users();
///
/// let session = manager.connect(Handshake::new().user("42"))?;
/// assert_eq!(watch.take(100).unwrap().users, [(UserId::new("42")?, 1)]);
///
/// drop(session);
/// assert_eq!(watch.take(100).unwrap().users, [(UserId::new("42")?, 0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PresenceWatch {
    inner: Weak<Inner>,
    id: u64,
}

/// The changes that a [`PresenceWatch`] noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserChanges {
    /// Changed users, each once, with their current number of live streams.
    pub users: Vec<(UserId, usize)>,
    /// `true` if more changed users wait to be taken.
    pub more: bool,
    /// `true` if more users changed than a watch remembers: replace earlier results with
    /// [`Manager::users`]. Set once per loss.
    pub missed: bool,
    /// Number of live streams at the same moment, anonymous streams included.
    pub streams: usize,
    /// Number of users with at least one live stream at the same moment.
    pub unique_users: usize,
}

/// One page of the list of all users.
///
/// ```
/// use sse_core::{Handshake, Manager, UserId};
///
/// let manager = Manager::builder().build()?;
/// let session = manager.connect(Handshake::new().user("42"))?;
///
/// let page = manager.users(None, 100);
/// assert_eq!(page.users, [(UserId::new("42")?, 1)]);
/// assert_eq!(page.next_cursor, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserPage {
    /// Users with their number of live streams.
    pub users: Vec<(UserId, usize)>,
    /// Start of the next page; `None` at the end.
    pub next_cursor: Option<u32>,
}

impl Manager {
    /// Watches for changes in each user's number of streams, from now on.
    #[must_use]
    pub fn watch_users(&self) -> PresenceWatch {
        let id = rand::random();
        let changed = Changed {
            id,
            users: HashSet::new(),
            missed: false,
        };
        self.inner
            .sequencer
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

    /// Lists users with their number of live streams, at most about `limit` on a page. One page is
    /// consistent, a listing of several pages is not: users that connect or leave in between can be
    /// missing or included. Every other user is included once. A user that gets a second stream in
    /// between can be included twice, with the newer number later.
    ///
    /// A page can have fewer users than the limit, or none, and still be followed by other pages.
    #[must_use]
    pub fn users(&self, cursor: Option<u32>, limit: usize) -> UserPage {
        let (users, next_cursor) = self
            .inner
            .sequencer
            .lock()
            .page_of_users(cursor.unwrap_or(0), limit);
        UserPage { users, next_cursor }
    }
}

impl PresenceWatch {
    /// Takes at most `most` changed users. Returns `None` once the manager was dropped.
    ///
    /// A later change of a user is noticed again. So a caller that alternates between taking
    /// changes and listing [users](Manager::users) has the newest number of a user in its latest
    /// result.
    pub fn take(&mut self, most: usize) -> Option<UserChanges> {
        let inner = self.inner.upgrade()?;
        let mut sequencer = inner.sequencer.lock();
        let groups = &mut sequencer.registry.groups;
        let watch = groups
            .watches
            .iter_mut()
            .find(|watch| watch.id == self.id)?;
        let names = watch.take(most);
        let (more, missed) = (!watch.users.is_empty(), std::mem::take(&mut watch.missed));
        let registry = &sequencer.registry;
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
            .sequencer
            .lock()
            .registry
            .groups
            .watches
            .retain(|watch| watch.id != self.id);
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").finish_non_exhaustive()
    }
}
