//! The one total order of a manager.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    client_id::ClientId,
    clock::Millis,
    delivery::{Audience, Delivery, Job, Outbox, Rules},
    farewell::Farewell,
    frame::Frame,
    groups::{GroupKind, Membership},
    message::Message,
    name::{Topic, UserId},
    queue::Health,
    reason::Reason,
    receipt::Receipt,
    refused::CAUSE_NAMES,
    registry::{Registry, Slot},
    target::Target,
};

/// A publish to at most this many streams reaches them at its place in the order; larger ones go in steps.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 256 };

/// At most this many users are kept away at once; beyond it the one whose term ends first may return.
const MOST_AWAY: usize = 10_000;

/// What a manager's lock protects: who is there, and whose turn it is.
///
/// Everything that has a place in the order happens under the lock: connecting, joining, leaving, ending, and the
/// place of a publish. Transports that take what waits do not need it.
#[derive(Debug)]
pub(crate) struct Order {
    seq: u64,
    pub(crate) registry: Registry,
    /// Publishes that have not reached all their streams, in order.
    jobs: Vec<Arc<Job>>,
    pub(crate) draining: bool,
    /// Users that were told to stay away, and until which uptime of the manager in milliseconds.
    away: HashMap<UserId, u64>,
    pub(crate) counts: Counts,
}

/// What the order has counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) published: u64,
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
    pub(crate) heartbeats: u64,
    pub(crate) connected: u64,
    pub(crate) ended: [u64; Reason::ALL.len()],
    pub(crate) refused: [u64; CAUSE_NAMES.len()],
}

/// How far a publish got at its place.
pub(crate) enum Placed {
    /// Every stream has it.
    Done(Receipt),
    /// [`Order::sweep`] brings it to the rest.
    Sweeping(Arc<Job>, Receipt),
}

/// What is found at a look at a stream that has been quiet, or that takes nothing.
pub(crate) struct Exam<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) now: Millis,
    pub(crate) uptime_ms: u64,
    /// After how long a quiet stream gets a heartbeat; `None` without heartbeats.
    pub(crate) quiet: Option<Duration>,
    /// After how long a stream that takes nothing is ended.
    pub(crate) stalled: Duration,
    /// How much too early a stream may reach its age, so that it is never too late.
    pub(crate) age_slack: Duration,
    /// The heartbeat of this tick in each dialect.
    pub(crate) beats: &'a dyn Fn(&Slot) -> Option<&'a Frame>,
}

impl Order {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            seq: 0,
            registry,
            jobs: Vec::new(),
            draining: false,
            away: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// Gives a publish its place, and brings it to its streams if they are few.
    pub(crate) fn publish(
        &mut self,
        rules: &Rules,
        target: &Target,
        except: &[ClientId],
        message: Message,
        now: Millis,
        out: &mut Outbox,
    ) -> Placed {
        self.seq += 1;
        self.counts.published += 1;
        if let Target::Client(id) = target {
            let place = self.registry.place(*id).filter(|_| !except.contains(id));
            self.deliver_now(rules, place.as_slice(), &[], &message, now, out);
            return Placed::Done(Receipt { matched: place.iter().len(), id: None });
        }
        let except = self.places(except);
        let Some((audience, size)) = self.audience(target) else { return Placed::Done(Receipt::default()) };
        let excepted = except.iter().filter(|place| self.is_in(**place, audience)).count();
        let receipt = Receipt { matched: size - excepted, id: None };
        if size <= AT_ONCE {
            self.deliver_to_few(rules, audience, &except, &message, now, out);
            return Placed::Done(receipt);
        }
        let job = Arc::new(Job { seq: self.seq, audience, except, message });
        self.jobs.push(Arc::clone(&job));
        Placed::Sweeping(job, receipt)
    }

    /// Brings a publish to at most `budget` more of its streams; `true` when all have it.
    pub(crate) fn sweep(
        &mut self,
        rules: &Rules,
        job: &Arc<Job>,
        cursor: &mut u32,
        budget: usize,
        now: Millis,
        out: &mut Outbox,
    ) -> bool {
        let older = &self.jobs[..self.jobs.partition_point(|other| other.seq < job.seq)];
        let delivery = Delivery { rules, older, seq: job.seq, now };
        let streams = &self.registry.streams;
        let mut reach = |place: u32| {
            if let Some(slot) = streams.get(place).filter(|_| !job.excepts(place)) {
                delivery.deliver(slot, &job.message, out);
            }
        };
        let done = match job.audience {
            Audience::All => {
                let end = streams.end().min(cursor.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX)));
                (*cursor..end).for_each(&mut reach);
                *cursor = end;
                end >= streams.end()
            }
            Audience::Group(group) => {
                let members = self.registry.groups.get(group).map_or(&[][..], |group| &group.members);
                let from = members.len().min(*cursor as usize);
                let end = members.len().min(from + budget);
                members[from..end].iter().copied().for_each(&mut reach);
                *cursor = u32::try_from(end).unwrap_or(u32::MAX);
                end == members.len()
            }
        };
        if done {
            self.jobs.retain(|other| other.seq != job.seq);
        }
        self.finish(rules, now, out);
        done
    }

    /// Joins a topic; the stream gets what is published from here on.
    pub(crate) fn join(
        &mut self,
        rules: &Rules,
        place: u32,
        topic: &Topic,
        now: Millis,
        out: &mut Outbox,
    ) -> bool {
        self.seq += 1;
        self.settle(rules, place, now, out);
        let joined = self.registry.join(place, GroupKind::Topic, topic.text());
        self.finish(rules, now, out);
        joined
    }

    /// Leaves a topic; the stream gets what was published up to here.
    pub(crate) fn leave(
        &mut self,
        rules: &Rules,
        place: u32,
        topic: &Topic,
        now: Millis,
        out: &mut Outbox,
    ) -> bool {
        self.seq += 1;
        let Some(membership) = self.registry.membership(place, GroupKind::Topic, topic.as_str()) else {
            return false;
        };
        self.settle(rules, place, now, out);
        self.settle_last_of(rules, membership, now, out);
        self.registry.leave(place, membership);
        self.finish(rules, now, out);
        true
    }

    /// Takes the place in the order at which a stream was registered.
    pub(crate) fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Ends a stream after what it should have got before this place.
    pub(crate) fn end(
        &mut self,
        rules: &Rules,
        place: u32,
        farewell: Farewell,
        now: Millis,
        out: &mut Outbox,
    ) -> bool {
        self.seq += 1;
        let ended = self.end_stream(rules, place, farewell, now, out);
        self.finish(rules, now, out);
        ended
    }

    /// Forgets a stream whose transport is gone.
    pub(crate) fn remove(&mut self, rules: &Rules, place: u32, id: ClientId, now: Millis, out: &mut Outbox) {
        self.seq += 1;
        if self.registry.streams.get(place).is_some_and(|slot| slot.stream.id == id) {
            self.detach(rules, place, now, out);
            self.finish(rules, now, out);
        }
    }

    /// Looks at every `stride`-th stream from `cursor` on, at most `budget` of them; `true` at the end of the table.
    pub(crate) fn examine(
        &mut self,
        exam: &Exam<'_>,
        cursor: &mut u32,
        stride: u32,
        budget: u32,
        out: &mut Outbox,
    ) -> bool {
        let end = self.registry.streams.end();
        let mut left = budget;
        while *cursor < end && left > 0 {
            if let Some(reason) = self.examine_one(exam, *cursor, out) {
                self.end_stream(exam.rules, *cursor, Farewell::new(reason), exam.now, out);
            }
            *cursor = cursor.saturating_add(stride);
            left -= 1;
        }
        self.finish(exam.rules, exam.now, out);
        *cursor >= end
    }

    fn examine_one(&mut self, exam: &Exam<'_>, place: u32, out: &mut Outbox) -> Option<Reason> {
        let slot = self.registry.streams.get(place)?;
        let age = Duration::from_millis(exam.uptime_ms.saturating_sub(slot.stream.opened_ms));
        let ends_after = Duration::from_millis(slot.stream.ends_after_ms.into());
        if !ends_after.is_zero() && age + exam.age_slack >= ends_after {
            return Some(Reason::MaxAge);
        }
        let delivery = Delivery { rules: exam.rules, older: &self.jobs, seq: self.seq, now: exam.now };
        delivery.settle(slot, out);
        let mut state = slot.stream.queue.lock();
        match state.health() {
            Health::Waiting(since) if exam.now.since(since) >= exam.stalled => return Some(Reason::Stalled),
            Health::Quiet(since) if exam.quiet.is_some_and(|quiet| exam.now.since(since) >= quiet) => {
                if let Some(beat) = (exam.beats)(slot) {
                    out.wake_later(state.append(beat.clone(), exam.now));
                    self.counts.heartbeats += 1;
                }
            }
            _ => {}
        }
        None
    }

    /// Keeps a user away for a while. Goes by uptime, not by [`Millis`]: entries may be older than those can tell apart.
    pub(crate) fn keep_away(&mut self, user: UserId, uptime_ms: u64, duration: Duration) {
        self.away.retain(|_, until| uptime_ms < *until);
        if self.away.len() >= MOST_AWAY {
            let soonest = self.away.iter().min_by_key(|(_, until)| **until).map(|(user, _)| user.clone());
            soonest.map(|user| self.away.remove(&user));
        }
        let duration = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.away.insert(user, uptime_ms.saturating_add(duration));
    }

    pub(crate) fn is_away(&mut self, user: &UserId, uptime_ms: u64) -> bool {
        let Some(until) = self.away.get(user) else { return false };
        if uptime_ms < *until {
            return true;
        }
        self.away.remove(user);
        false
    }

    /// The streams in a target, in no order.
    pub(crate) fn places_in(&self, target: &Target) -> Vec<u32> {
        let registry = &self.registry;
        match target {
            Target::All => {
                let mut from = 0;
                std::iter::from_fn(|| {
                    let place = registry.streams.next_key(from)?;
                    from = place + 1;
                    Some(place)
                })
                .collect()
            }
            Target::Client(id) => registry.place(*id).into_iter().collect(),
            Target::User(user) => registry.groups.members(GroupKind::User, user.as_str()).to_vec(),
            Target::Topic(topic) => registry.groups.members(GroupKind::Topic, topic.as_str()).to_vec(),
        }
    }

    fn audience(&self, target: &Target) -> Option<(Audience, usize)> {
        let groups = &self.registry.groups;
        let group = match target {
            Target::All | Target::Client(_) => return Some((Audience::All, self.registry.streams.len())),
            Target::User(user) => groups.find(GroupKind::User, user.as_str())?,
            Target::Topic(topic) => groups.find(GroupKind::Topic, topic.as_str())?,
        };
        Some((Audience::Group(group), groups.get(group)?.members.len()))
    }

    fn places(&self, ids: &[ClientId]) -> Box<[u32]> {
        if ids.is_empty() {
            return Box::default();
        }
        let mut places: Vec<_> = ids.iter().filter_map(|id| self.registry.place(*id)).collect();
        places.sort_unstable();
        places.dedup();
        places.into_boxed_slice()
    }

    fn is_in(&self, place: u32, audience: Audience) -> bool {
        let Audience::Group(group) = audience else { return true };
        let slot = self.registry.streams.get(place);
        slot.is_some_and(|slot| slot.memberships.iter().any(|membership| membership.group == group))
    }

    fn deliver_to_few(
        &mut self,
        rules: &Rules,
        audience: Audience,
        except: &[u32],
        message: &Message,
        now: Millis,
        out: &mut Outbox,
    ) {
        match audience {
            Audience::Group(group) => {
                let delivery = Delivery { rules, older: &self.jobs, seq: self.seq, now };
                let registry = &self.registry;
                let members = registry.groups.get(group).map_or(&[][..], |group| &group.members);
                for place in members.iter().filter(|place| except.binary_search(place).is_err()) {
                    if let Some(slot) = registry.streams.get(*place) {
                        delivery.deliver(slot, message, out);
                    }
                }
                self.finish(rules, now, out);
            }
            Audience::All => {
                let places = self.places_in(&Target::All);
                self.deliver_now(rules, &places, except, message, now, out);
            }
        }
    }

    fn deliver_now(
        &mut self,
        rules: &Rules,
        places: &[u32],
        except: &[u32],
        message: &Message,
        now: Millis,
        out: &mut Outbox,
    ) {
        let delivery = Delivery { rules, older: &self.jobs, seq: self.seq, now };
        for place in places.iter().filter(|place| except.binary_search(place).is_err()) {
            if let Some(slot) = self.registry.streams.get(*place) {
                delivery.deliver(slot, message, out);
            }
        }
        self.finish(rules, now, out);
    }

    fn settle(&self, rules: &Rules, place: u32, now: Millis, out: &mut Outbox) {
        if let Some(slot) = self.registry.streams.get(place) {
            Delivery { rules, older: &self.jobs, seq: self.seq, now }.settle(slot, out);
        }
    }

    /// A stream that moves within its group could be passed over by a sweep.
    fn settle_last_of(&self, rules: &Rules, membership: Membership, now: Millis, out: &mut Outbox) {
        if self.jobs.is_empty() {
            return;
        }
        if let Some(last) = self.registry.last_of(membership) {
            self.settle(rules, last, now, out);
        }
    }

    fn end_stream(
        &mut self,
        rules: &Rules,
        place: u32,
        farewell: Farewell,
        now: Millis,
        out: &mut Outbox,
    ) -> bool {
        self.settle(rules, place, now, out);
        let Some(slot) = self.detach(rules, place, now, out) else { return false };
        let wakers = slot.stream.queue.lock().end(farewell);
        out.wake_later(wakers);
        true
    }

    fn detach(&mut self, rules: &Rules, place: u32, now: Millis, out: &mut Outbox) -> Option<Slot> {
        if !self.jobs.is_empty() {
            let memberships = self.registry.streams.get(place)?.memberships.clone();
            memberships.iter().for_each(|membership| self.settle_last_of(rules, *membership, now, out));
        }
        self.registry.remove(place)
    }

    /// Counts what was done, and ends the streams whose queues were full.
    fn finish(&mut self, rules: &Rules, now: Millis, out: &mut Outbox) {
        while let Some(place) = out.full.pop() {
            self.counts.dropped += 1;
            self.end_stream(rules, place, Farewell::new(Reason::Overflow), now, out);
        }
        self.counts.queued += std::mem::take(&mut out.queued);
        self.counts.dropped += std::mem::take(&mut out.dropped_events);
    }
}
