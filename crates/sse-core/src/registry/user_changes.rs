//! Users whose number of streams changed.

use std::{collections::HashSet, sync::Arc};

/// Users whose number of streams changed since a watch last took its changes.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) id: u64,
    pub(crate) users: HashSet<Arc<str>>,
    pub(crate) missed: bool,
}

impl Changed {
    pub(crate) fn note(&mut self, user: &Arc<str>) {
        if self.users.len() < MOST_WAITING {
            self.users.insert(Arc::clone(user));
        } else if !self.users.contains(user) {
            self.missed = true;
        }
    }

    pub(crate) fn take(&mut self, most: usize) -> Vec<Arc<str>> {
        let taken = self.users.extract_if(|_| true).take(most).collect();
        if self.users.is_empty() && self.users.capacity() > 1024 {
            self.users = HashSet::new();
        }
        taken
    }
}

/// Maximum number of users that wait to be taken. Beyond it, a watch must list all users again.
const MOST_WAITING: usize = 1 << 16;
