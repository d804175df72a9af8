//! All users of all nodes, and who must hear that they came or went.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use sse_core::UserId;
use tokio::time::Instant;

use crate::sharded_map::Sharded;

/// All users of all nodes.
#[derive(Debug)]
pub(crate) struct Crowd {
    users: Sharded<Member>,
    /// Users with a stream.
    present: usize,
    /// There when somebody wants to hear who comes and goes.
    gossip: Option<Gossip>,
}

/// One user.
#[derive(Debug, Default)]
struct Member {
    /// Streams on all nodes.
    streams: u64,
    /// Whether it was told that the user is on-line.
    online: bool,
    /// Whether it waits among the news.
    waits: bool,
    /// Whether it has a timer.
    timed: bool,
    /// Since when it has no stream.
    gone: Option<Instant>,
}

/// Who is to be told of. Each user stands in either list at most once, however often it comes and goes.
#[derive(Debug)]
struct Gossip {
    grace: Duration,
    came: VecDeque<UserId>,
    timers: BinaryHeap<Reverse<(Instant, UserId)>>,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Online(UserId),
    Offline(UserId),
}

impl Crowd {
    /// With a grace if somebody wants to hear who comes and goes.
    pub(crate) fn new(grace: Option<Duration>) -> Self {
        let gossip = grace.map(|grace| Gossip { grace, came: VecDeque::new(), timers: BinaryHeap::new() });
        Self { users: Sharded::default(), present: 0, gossip }
    }

    /// Users with a stream.
    pub(crate) fn present(&self) -> usize {
        self.present
    }

    /// Streams of a user.
    pub(crate) fn streams(&self, user: &UserId) -> u64 {
        self.users.get(user).map_or(0, |member| member.streams)
    }

    /// Users with a stream, of one shard.
    pub(crate) fn shard(&self, shard: usize) -> impl Iterator<Item = (&UserId, u64)> {
        let members = self.users.shard(shard).filter(|(_, member)| member.streams > 0);
        members.map(|(user, member)| (user, member.streams))
    }

    /// A user's streams on one node have changed in number.
    pub(crate) fn change(&mut self, user: &UserId, before: u32, after: u32, now: Instant) {
        if before == after {
            return;
        }
        if self.users.get(user).is_none() {
            self.users.insert(user.clone(), Member::default());
        }
        let Some(member) = self.users.get_mut(user) else { return };
        let was = member.streams > 0;
        member.streams = (member.streams + u64::from(after)).saturating_sub(before.into());
        match (was, member.streams > 0) {
            (false, true) => {
                self.present += 1;
                member.gone = None;
                if let Some(gossip) = self.gossip.as_mut().filter(|_| !member.online && !member.waits) {
                    member.waits = true;
                    gossip.came.push_back(user.clone());
                }
            }
            (true, false) => {
                self.present -= 1;
                self.gone(user, now);
            }
            _ => {}
        }
    }

    fn gone(&mut self, user: &UserId, now: Instant) {
        let Some(gossip) = &mut self.gossip else {
            self.users.remove(user);
            return;
        };
        let Some(member) = self.users.get_mut(user) else { return };
        member.gone = Some(now);
        if !std::mem::replace(&mut member.timed, true) {
            gossip.timers.push(Reverse((now + gossip.grace, user.clone())));
        }
    }

    /// The next to be told.
    pub(crate) fn news(&mut self, now: Instant) -> Option<News> {
        let gossip = self.gossip.as_mut()?;
        if let Some(user) = gossip.came.pop_front() {
            if let Some(member) = self.users.get_mut(&user) {
                (member.waits, member.online) = (false, true);
            }
            return Some(News::Online(user));
        }
        while gossip.timers.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, user))) = gossip.timers.pop() else { break };
            let Some(member) = self.users.get_mut(&user) else { continue };
            member.timed = false;
            match member.gone.map(|gone| gone + gossip.grace) {
                None => {}
                Some(due) if due > now => {
                    member.timed = true;
                    gossip.timers.push(Reverse((due, user)));
                }
                Some(_) => {
                    self.users.remove(&user);
                    return Some(News::Offline(user));
                }
            }
        }
        None
    }

    /// When there will be something to tell, if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.gossip.as_ref()?.timers.peek().map(|Reverse((due, _))| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn told(crowd: &mut Crowd, now: Instant) -> Vec<News> {
        std::iter::from_fn(|| crowd.news(now)).collect()
    }

    #[test]
    fn streams_are_summed_and_those_who_left_are_forgotten() {
        let (mut crowd, now, ada) = (Crowd::new(None), Instant::now(), "ada".parse().unwrap());
        crowd.change(&ada, 0, 2, now);
        crowd.change(&ada, 0, 1, now);
        assert_eq!((crowd.streams(&ada), crowd.present()), (3, 1));
        crowd.change(&ada, 2, 0, now);
        crowd.change(&ada, 1, 0, now);
        assert_eq!((crowd.streams(&ada), crowd.present(), crowd.users.len()), (0, 0, 0));
    }

    #[test]
    fn whoever_comes_back_within_the_grace_was_never_gone() {
        let (mut crowd, start, ada) = (Crowd::new(Some(GRACE)), Instant::now(), "ada".parse().unwrap());
        crowd.change(&ada, 0, 1, start);
        assert_eq!(told(&mut crowd, start), [News::Online(ada.clone())]);
        crowd.change(&ada, 1, 0, start);
        crowd.change(&ada, 0, 1, start + GRACE / 2);
        assert_eq!(told(&mut crowd, start + GRACE), []);
        let gone = start + GRACE * 2;
        crowd.change(&ada, 1, 0, gone);
        assert_eq!(told(&mut crowd, gone + GRACE - Duration::from_millis(1)), []);
        assert_eq!(told(&mut crowd, gone + GRACE), [News::Offline(ada)]);
        assert_eq!((crowd.users.len(), crowd.next_due()), (0, None));
    }

    #[test]
    fn the_grace_begins_anew_with_each_leave_and_the_lists_do_not_grow() {
        let (mut crowd, start, ada) = (Crowd::new(Some(GRACE)), Instant::now(), "ada".parse().unwrap());
        let step = Duration::from_secs(1);
        for second in 0..15 {
            crowd.change(&ada, 0, 1, start + step * second);
            crowd.change(&ada, 1, 0, start + step * second);
        }
        let gossip = crowd.gossip.as_ref().unwrap();
        assert_eq!((gossip.came.len(), gossip.timers.len()), (1, 1));
        assert_eq!(told(&mut crowd, start + step * 14), [News::Online(ada.clone())]);
        assert_eq!(told(&mut crowd, start + step * 14 + GRACE), [News::Offline(ada)]);
    }
}
