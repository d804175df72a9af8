//! Queries of the registry, each under the lock for a bounded time.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use crate::{
    id::{
        names::{Topic, UserId},
        target::Target,
    },
    registry::{bans::Banned, groups::GroupKind},
    sequencer::Sequencer,
};

/// Maximum number of groups that are checked while the manager's lock is held once.
const STEP: u32 = 1024;

/// Heap with the smallest count on top, to be removed first; among equal counts, the last user by
/// name.
pub(crate) type Most = BinaryHeap<Reverse<(usize, Reverse<UserId>)>>;

impl Sequencer {
    /// Returns the lowest indexes from `from` on of the streams of a user and a topic, sorted, at
    /// most `wanted`.
    pub(crate) fn candidates(
        &self,
        (user, topic): (Option<&UserId>, Option<&Topic>),
        from: u32,
        wanted: usize,
    ) -> Vec<u32> {
        let registry = &self.registry;
        let members = match (user, topic) {
            (Some(user), _) => registry.members(GroupKind::User, user.as_str()),
            (None, Some(topic)) => registry.members(GroupKind::Topic, topic.as_str()),
            (None, None) => return self.places_from(from).take(wanted).collect(),
        };
        let topic = topic.filter(|_| user.is_some());
        let in_topic = |place: &u32| {
            topic.is_none_or(|topic| {
                self.registry
                    .membership(*place, GroupKind::Topic, topic.as_str())
                    .is_some()
            })
        };
        let mut lowest = BinaryHeap::new();
        for place in members
            .iter()
            .copied()
            .filter(|place| *place >= from)
            .filter(in_topic)
        {
            lowest.push(place);
            if lowest.len() > wanted {
                lowest.pop();
            }
        }
        lowest.into_sorted_vec()
    }

    /// Counts one step of streams and groups. Returns the position of the next step.
    pub(crate) fn count_users(&self, from: u32, limit: usize, most: &mut Most) -> Option<u32> {
        let mut next = from;
        for _ in 0..STEP {
            let (after, found) = self.registry.user_from(next)?;
            next = after;
            if let Some((user, count)) = found {
                most.push(Reverse((
                    count,
                    Reverse(UserId::from_text(Arc::clone(user))),
                )));
                if most.len() > limit {
                    most.pop();
                }
            }
        }
        Some(next)
    }

    pub(crate) fn places_from(&self, from: u32) -> impl Iterator<Item = u32> {
        let mut next = from;
        std::iter::from_fn(move || {
            let place = self.registry.streams.next_key(next)?;
            next = place + 1;
            Some(place)
        })
    }

    /// Returns at most `most` live streams.
    pub(crate) fn some_places(&self, most: usize) -> Vec<u32> {
        self.places_from(0).take(most).collect()
    }

    pub(crate) fn size_of(&self, target: &Target) -> usize {
        match target {
            Target::All => self.registry.streams.len(),
            Target::Client(_) => 1,
            Target::User(user) => self.registry.members(GroupKind::User, user.as_str()).len(),
            Target::Topic(topic) => self
                .registry
                .members(GroupKind::Topic, topic.as_str())
                .len(),
        }
    }

    /// Returns at most `most` streams of a target. The caller removes the streams from the target,
    /// so that the next call finds others. For [`Target::All`], the cursor holds the position of
    /// the next call.
    pub(crate) fn some_in(&self, target: &Target, cursor: &mut u32, most: usize) -> Vec<u32> {
        let registry = &self.registry;
        let members = match target {
            Target::All => {
                let places: Vec<_> = self.places_from(*cursor).take(most).collect();
                *cursor = places.last().map_or(*cursor, |last| last + 1);
                return places;
            }
            Target::Client(id) => return self.registry.place(*id).into_iter().collect(),
            Target::User(user) => registry.members(GroupKind::User, user.as_str()),
            Target::Topic(topic) => registry.members(GroupKind::Topic, topic.as_str()),
        };
        members.iter().copied().take(most).collect()
    }

    /// Returns the user or sign-in to ban for a target.
    pub(crate) fn ban_subject(&self, target: &Target) -> Option<Banned> {
        match target {
            Target::User(user) => Some(user.clone().into()),
            Target::Client(client) => self
                .registry
                .login(self.registry.place(*client)?)
                .map(Into::into),
            Target::All | Target::Topic(_) => None,
        }
    }

    /// Returns users with their number of live streams, at most about `limit`, and the start of the
    /// next page.
    pub(crate) fn page_of_users(
        &self,
        from: u32,
        limit: usize,
    ) -> (Vec<(UserId, usize)>, Option<u32>) {
        let mut users = Vec::new();
        let mut next = from;
        for _ in 0..STEP {
            let Some((after, found)) = self.registry.user_from(next) else {
                return (users, None);
            };
            if users.len() >= limit.max(1) {
                break;
            }
            next = after;
            if let Some((user, count)) = found {
                users.push((UserId::from_text(Arc::clone(user)), count));
            }
        }
        (users, Some(next))
    }
}
