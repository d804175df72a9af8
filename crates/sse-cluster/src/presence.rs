//! All users of all nodes, and the queue of hook calls.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use sse_core::UserId;
use tokio::time::Instant;

use crate::sharded_map::ShardedMap;

/// All users of all nodes.
#[derive(Debug)]
pub(crate) struct Presence {
    users: ShardedMap<Member>,
    /// Number of users with a stream.
    present: usize,
    /// The queue of hook calls, or `None` without hooks.
    events: Option<PresenceEvents>,
}

/// The state of one user.
#[derive(Debug, Default)]
struct Member {
    /// Number of streams on all nodes.
    streams: u64,
    /// Set if the hook `online` was called.
    online: bool,
    /// Set if the user is in the queue.
    waits: bool,
    /// Set if the user has a timer.
    timed: bool,
    /// Time of the last stream's end.
    offline_since: Option<Instant>,
}

/// Users whose hooks must be called. Each user is in either list at most once, however often the
/// user connects and disconnects.
#[derive(Debug)]
struct PresenceEvents {
    grace: Duration,
    came: VecDeque<UserId>,
    timers: BinaryHeap<Reverse<(Instant, UserId)>>,
}

/// A hook call that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PresenceEvent {
    Online(UserId),
    Offline(UserId),
}

impl Presence {
    /// Creates an empty state. The grace is set if hooks exist.
    pub(crate) fn new(grace: Option<Duration>) -> Self {
        let events = grace.map(|grace| PresenceEvents {
            grace,
            came: VecDeque::new(),
            timers: BinaryHeap::new(),
        });
        Self {
            users: ShardedMap::default(),
            present: 0,
            events,
        }
    }

    /// Returns the number of users with a stream.
    pub(crate) fn present(&self) -> usize {
        self.present
    }

    /// Returns the number of streams of a user.
    pub(crate) fn streams(&self, user: &UserId) -> u64 {
        self.users.get(user).map_or(0, |member| member.streams)
    }

    /// Returns the users of one shard that have a stream.
    pub(crate) fn shard(&self, shard: usize) -> impl Iterator<Item = (&UserId, u64)> {
        let members = self
            .users
            .shard(shard)
            .filter(|(_, member)| member.streams > 0);
        members.map(|(user, member)| (user, member.streams))
    }

    /// Applies a change of a user's number of streams on one node.
    pub(crate) fn change(&mut self, user: &UserId, before: u32, after: u32, now: Instant) {
        if before == after {
            return;
        }
        if self.users.get(user).is_none() {
            self.users.insert(user.clone(), Member::default());
        }
        let Some(member) = self.users.get_mut(user) else {
            return;
        };
        let was = member.streams > 0;
        member.streams = (member.streams + u64::from(after)).saturating_sub(before.into());
        match (was, member.streams > 0) {
            (false, true) => {
                self.present += 1;
                member.offline_since = None;
                if let Some(events) = self
                    .events
                    .as_mut()
                    .filter(|_| !member.online && !member.waits)
                {
                    member.waits = true;
                    events.came.push_back(user.clone());
                }
            }
            (true, false) => {
                self.present -= 1;
                self.depart(user, now);
            }
            _ => {}
        }
    }

    fn depart(&mut self, user: &UserId, now: Instant) {
        let Some(events) = &mut self.events else {
            self.users.remove(user);
            return;
        };
        let Some(member) = self.users.get_mut(user) else {
            return;
        };
        member.offline_since = Some(now);
        if !std::mem::replace(&mut member.timed, true) {
            events
                .timers
                .push(Reverse((now + events.grace, user.clone())));
        }
    }

    /// Returns the next hook call that is due.
    pub(crate) fn news(&mut self, now: Instant) -> Option<PresenceEvent> {
        let events = self.events.as_mut()?;
        if let Some(user) = events.came.pop_front() {
            if let Some(member) = self.users.get_mut(&user) {
                (member.waits, member.online) = (false, true);
            }
            return Some(PresenceEvent::Online(user));
        }
        while events
            .timers
            .peek()
            .is_some_and(|Reverse((due, _))| *due <= now)
        {
            let Some(Reverse((_, user))) = events.timers.pop() else {
                break;
            };
            let Some(member) = self.users.get_mut(&user) else {
                continue;
            };
            member.timed = false;
            match member
                .offline_since
                .map(|offline_since| offline_since + events.grace)
            {
                None => {}
                Some(due) if due > now => {
                    member.timed = true;
                    events.timers.push(Reverse((due, user)));
                }
                Some(_) => {
                    self.users.remove(&user);
                    return Some(PresenceEvent::Offline(user));
                }
            }
        }
        None
    }

    /// Returns the time of the next hook call, if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.events
            .as_ref()?
            .timers
            .peek()
            .map(|Reverse((due, _))| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn due_events(presence: &mut Presence, now: Instant) -> Vec<PresenceEvent> {
        std::iter::from_fn(|| presence.news(now)).collect()
    }

    #[test]
    fn streams_are_summed_and_absent_users_removed() {
        let (mut presence, now, ada) =
            (Presence::new(None), Instant::now(), "ada".parse().unwrap());
        presence.change(&ada, 0, 2, now);
        presence.change(&ada, 0, 1, now);
        assert_eq!((presence.streams(&ada), presence.present()), (3, 1));
        presence.change(&ada, 2, 0, now);
        presence.change(&ada, 1, 0, now);
        assert_eq!(
            (
                presence.streams(&ada),
                presence.present(),
                presence.users.len()
            ),
            (0, 0, 0)
        );
    }

    #[test]
    fn return_within_grace_calls_no_hook() {
        let (mut presence, start, ada) = (
            Presence::new(Some(GRACE)),
            Instant::now(),
            "ada".parse().unwrap(),
        );
        presence.change(&ada, 0, 1, start);
        assert_eq!(
            due_events(&mut presence, start),
            [PresenceEvent::Online(ada.clone())]
        );
        presence.change(&ada, 1, 0, start);
        presence.change(&ada, 0, 1, start + GRACE / 2);
        assert_eq!(due_events(&mut presence, start + GRACE), []);
        let offline_since = start + GRACE * 2;
        presence.change(&ada, 1, 0, offline_since);
        assert_eq!(
            due_events(
                &mut presence,
                offline_since + GRACE - Duration::from_millis(1)
            ),
            []
        );
        assert_eq!(
            due_events(&mut presence, offline_since + GRACE),
            [PresenceEvent::Offline(ada)]
        );
        assert_eq!((presence.users.len(), presence.next_due()), (0, None));
    }

    #[test]
    fn each_leave_restarts_grace_with_bounded_lists() {
        let (mut presence, start, ada) = (
            Presence::new(Some(GRACE)),
            Instant::now(),
            "ada".parse().unwrap(),
        );
        let step = Duration::from_secs(1);
        for second in 0..15 {
            presence.change(&ada, 0, 1, start + step * second);
            presence.change(&ada, 1, 0, start + step * second);
        }
        let events = presence.events.as_ref().unwrap();
        assert_eq!((events.came.len(), events.timers.len()), (1, 1));
        assert_eq!(
            due_events(&mut presence, start + step * 14),
            [PresenceEvent::Online(ada.clone())]
        );
        assert_eq!(
            due_events(&mut presence, start + step * 14 + GRACE),
            [PresenceEvent::Offline(ada)]
        );
    }
}
