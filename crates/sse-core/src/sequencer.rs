//! The one total order of a manager.

pub(crate) mod fanout;
pub(crate) mod liveness;
#[cfg(all(test, not(loom)))]
pub(crate) mod model_tests;
pub(crate) mod queries;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod wake;

use std::sync::Arc;

use crate::{
    backplane::receipt::Receipt,
    clock::log_time,
    dialect::{
        connect_error::CAUSE_NAMES, farewell::Farewell, message::Message, reason::DisconnectReason,
    },
    event::{Event, frame::Collapse},
    id::{
        client_id::ClientId,
        names::{Topic, UserId},
        target::Target,
    },
    log::{Log, entry_key::EntryKey, is_logged, key_limits::KeysFull},
    registry::{
        Registry, bans::Bans, closing::Leavers, groups::GroupKind, membership::GroupMembership,
        slot::Slot,
    },
    sequencer::fanout::{Audience, Fanout, PendingBroadcast, Tx},
};

/// Maximum number of streams that a publish reaches at its position in the order. Larger publishes
/// run in steps.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 256 };

/// The state under a manager's lock: the live streams, and the order of operations.
///
/// Every operation with a position in the order runs under the lock: connecting, joining, leaving,
/// ending, and ordering a publish. Transports that take waiting events do not need the lock.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) seq: u64,
    pub(crate) registry: Registry,
    /// Publishes that have not reached all their streams, in order.
    jobs: Vec<Arc<PendingBroadcast>>,
    /// Set once a shutdown was announced; connections are still accepted.
    pub(crate) shutting_down: bool,
    pub(crate) draining: bool,
    pub(crate) bans: Bans,
    pub(crate) leavers: Leavers,
    pub(crate) counts: SequencerCounts,
    /// Set if events are logged.
    pub(crate) log: Option<Log>,
}

/// Counters of the operations.
#[derive(Debug, Clone, Default)]
pub(crate) struct SequencerCounts {
    pub(crate) published: u64,
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
    pub(crate) heartbeats: u64,
    pub(crate) connected: u64,
    pub(crate) ended: [u64; DisconnectReason::ALL.len()],
    pub(crate) refused: [u64; CAUSE_NAMES.len()],
}

/// Progress of a publish at its position in the order.
pub(crate) enum Sequenced {
    /// Every stream has received the event.
    Done(Receipt),
    /// [`Sequencer::sweep`] delivers the event to the remaining streams.
    Sweeping(Arc<PendingBroadcast>, Receipt),
}

/// The streams that a publish reached at its position in the order.
enum Reached {
    /// All streams of the target.
    All(Receipt),
    /// No streams yet, because the target is too large.
    None(Rest, Receipt),
}

/// The streams that a publish has to reach in steps.
struct Rest {
    audience: Audience,
    /// Indexes of the exceptions, sorted.
    except: Box<[u32]>,
}

impl Sequencer {
    pub(crate) fn new(registry: Registry, log: Option<Log>) -> Self {
        Self {
            seq: 0,
            registry,
            jobs: Vec::new(),
            shutting_down: false,
            draining: false,
            bans: Bans::default(),
            leavers: Leavers::default(),
            counts: SequencerCounts::default(),
            log,
        }
    }

    /// Assigns a publish its position in the order, and delivers the event if the target is small.
    pub(crate) fn publish(
        &mut self,
        target: &Target,
        except: &[ClientId],
        message: Message,
        tx: &mut Tx<'_>,
    ) -> Sequenced {
        match self.place(target, except, &message, tx) {
            Reached::All(receipt) => Sequenced::Done(receipt),
            Reached::None(rest, receipt) => self.reach_later(rest, receipt, Arc::new(message)),
        }
    }

    /// Assigns a publish its position in the order and, if the event is to be logged, in the log of
    /// this manager.
    pub(crate) fn publish_and_log(
        &mut self,
        (target, except): (&Target, &[ClientId]),
        (event, collapse): (Event, Option<Collapse>),
        key: Option<EntryKey>,
        tx: &mut Tx<'_>,
    ) -> Result<Sequenced, KeysFull> {
        let Some(log) = self.log.as_mut().filter(|_| is_logged(target, &event)) else {
            let message = Message::new(event, collapse, self.unlogged_mark());
            return Ok(self.publish(target, except, message, tx));
        };
        if let Some(key) = &key {
            if let Some(cursor) = log.keys.get(key.text()) {
                log.counts.duplicates += 1;
                let id = Some(cursor.to_id());
                return Ok(Sequenced::Done(Receipt {
                    id,
                    duplicate: true,
                    ..Receipt::default()
                }));
            }
            log.keys
                .check_room(key)
                .inspect_err(|_| log.counts.keys_refused += 1)?;
        }
        let (number, message) = log.record(
            (target, except),
            (event, collapse),
            None,
            log_time(tx.uptime_ms),
        );
        if let Some(key) = key {
            log.keys
                .insert(Arc::clone(key.text()), log.window.head_cursor());
        }
        Ok(self.publish_record((target, except), number, message, tx))
    }

    /// Assigns a publish that is a record of the log its position in the order.
    pub(crate) fn publish_record(
        &mut self,
        (target, except): (&Target, &[ClientId]),
        number: u64,
        message: Message,
        tx: &mut Tx<'_>,
    ) -> Sequenced {
        match self.place(target, except, &message, tx) {
            // The usual message is encoded again for a returning client, which is cheaper than
            // keeping every message for clients that never return. A message that is already
            // encoded in other dialects is kept.
            Reached::All(receipt)
                if message.packed().is_some() && !message.is_in_other_dialects() =>
            {
                Sequenced::Done(Receipt {
                    id: message.into_id(),
                    ..receipt
                })
            }
            Reached::All(receipt) => {
                let id = message.id().cloned();
                self.keep_record(number, Arc::new(message));
                Sequenced::Done(Receipt { id, ..receipt })
            }
            Reached::None(rest, receipt) => {
                let id = message.id().cloned();
                let message = Arc::new(message);
                self.keep_record(number, Arc::clone(&message));
                self.reach_later(rest, Receipt { id, ..receipt }, message)
            }
        }
    }

    fn keep_record(&mut self, number: u64, message: Arc<Message>) {
        if let Some(log) = &mut self.log {
            log.window.keep(number, message);
        }
    }

    fn place(
        &mut self,
        target: &Target,
        except: &[ClientId],
        message: &Message,
        tx: &mut Tx<'_>,
    ) -> Reached {
        self.seq += 1;
        self.counts.published += 1;
        if let Target::Client(id) = target {
            let place = self.registry.place(*id).filter(|_| !except.contains(id));
            self.reach(place, message, tx);
            self.finish(tx);
            return Reached::All(Receipt::matched(place.iter().len()));
        }
        let except = self.places(except);
        let Some((audience, size)) = self.audience(target) else {
            return Reached::All(Receipt::default());
        };
        let excepted = except
            .iter()
            .filter(|place| self.is_in(**place, audience))
            .count();
        let receipt = Receipt::matched(size - excepted);
        if size > AT_ONCE {
            return Reached::None(Rest { audience, except }, receipt);
        }
        let meant = |place: &u32| except.binary_search(place).is_err();
        match audience {
            Audience::All => self.reach(self.places_from(0).filter(meant), message, tx),
            Audience::Group(group) => {
                self.reach(
                    self.members(group).iter().copied().filter(meant),
                    message,
                    tx,
                );
            }
        }
        self.finish(tx);
        Reached::All(receipt)
    }

    fn reach_later(&mut self, rest: Rest, receipt: Receipt, message: Arc<Message>) -> Sequenced {
        let Rest { audience, except } = rest;
        let job = Arc::new(PendingBroadcast {
            seq: self.seq,
            audience,
            except,
            message,
        });
        self.jobs.push(Arc::clone(&job));
        Sequenced::Sweeping(job, receipt)
    }

    /// Delivers a publish to at most `budget` more of its streams. Returns `true` once all streams
    /// have the event.
    pub(crate) fn sweep(
        &mut self,
        job: &Arc<PendingBroadcast>,
        cursor: &mut u32,
        budget: usize,
        tx: &mut Tx<'_>,
    ) -> bool {
        let older = &self.jobs[..self.jobs.partition_point(|other| other.seq < job.seq)];
        let delivery = Fanout {
            rules: tx.rules,
            older,
            seq: job.seq,
            now: tx.now,
        };
        let streams = &self.registry.streams;
        let mut reach = |place: u32| {
            if let Some(slot) = streams.get(place).filter(|_| !job.excepts(place)) {
                delivery.deliver(slot, &job.message, &mut tx.out);
            }
        };
        let done = match job.audience {
            Audience::All => {
                let end = streams
                    .end()
                    .min(cursor.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX)));
                (*cursor..end).for_each(&mut reach);
                *cursor = end;
                end >= streams.end()
            }
            Audience::Group(group) => {
                let members = self.members(group);
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
        self.finish(tx);
        done
    }

    /// Joins a topic; the stream receives later events of the topic.
    pub(crate) fn join(&mut self, place: u32, topic: &Topic, tx: &mut Tx<'_>) -> bool {
        self.seq += 1;
        self.deliver_pending(place, tx);
        let joined = self.registry.join(place, GroupKind::Topic, topic.text());
        if joined {
            self.catching(place, |catching, window| {
                catching.join(Target::Topic(topic.clone()), window);
            });
        }
        self.finish(tx);
        joined
    }

    /// Leaves a topic; the stream receives earlier events of the topic.
    pub(crate) fn leave(&mut self, place: u32, topic: &Topic, tx: &mut Tx<'_>) -> bool {
        self.seq += 1;
        let Some(membership) = self
            .registry
            .membership(place, GroupKind::Topic, topic.as_str())
        else {
            return false;
        };
        self.deliver_pending(place, tx);
        self.deliver_pending_last_of(membership, tx);
        self.registry.leave(place, membership);
        self.catching(place, |catching, window| {
            catching.leave(&Target::Topic(topic.clone()), window);
        });
        self.finish(tx);
        true
    }

    /// Returns the next position in the order.
    pub(crate) fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Ends a stream after the events that precede this position.
    pub(crate) fn end(&mut self, place: u32, farewell: Farewell, tx: &mut Tx<'_>) -> bool {
        self.seq += 1;
        let ended = self.end_stream(place, farewell, tx);
        self.finish(tx);
        ended
    }

    /// Removes a stream that its transport has released.
    pub(crate) fn remove(&mut self, place: u32, id: ClientId, tx: &mut Tx<'_>) {
        self.seq += 1;
        if self
            .registry
            .streams
            .get(place)
            .is_some_and(|slot| slot.stream.id == id)
        {
            self.detach(place, tx);
            self.finish(tx);
        }
    }

    fn audience(&self, target: &Target) -> Option<(Audience, usize)> {
        let registry = &self.registry;
        let group = match target {
            Target::All | Target::Client(_) => {
                return Some((Audience::All, registry.streams.len()));
            }
            Target::User(user) => registry.find(GroupKind::User, user.as_str())?,
            Target::Topic(topic) => registry.find(GroupKind::Topic, topic.as_str())?,
        };
        Some((Audience::Group(group), registry.members_of(group).len()))
    }

    fn places(&self, ids: &[ClientId]) -> Box<[u32]> {
        if ids.is_empty() {
            return Box::default();
        }
        let mut places: Vec<_> = ids
            .iter()
            .filter_map(|id| self.registry.place(*id))
            .collect();
        places.sort_unstable();
        places.dedup();
        places.into_boxed_slice()
    }

    fn is_in(&self, place: u32, audience: Audience) -> bool {
        let Audience::Group(group) = audience else {
            return true;
        };
        let slot = self.registry.streams.get(place);
        slot.is_some_and(|slot| {
            slot.memberships
                .iter()
                .any(|membership| membership.group == group)
        })
    }

    /// Creates a delivery at the current position in the order.
    pub(crate) fn delivery<'a>(&'a self, tx: &Tx<'a>) -> Fanout<'a> {
        Fanout {
            rules: tx.rules,
            older: &self.jobs,
            seq: self.seq,
            now: tx.now,
        }
    }

    fn reach(&self, places: impl IntoIterator<Item = u32>, message: &Message, tx: &mut Tx<'_>) {
        let delivery = self.delivery(tx);
        for slot in places
            .into_iter()
            .filter_map(|place| self.registry.streams.get(place))
        {
            delivery.deliver(slot, message, &mut tx.out);
        }
    }

    fn members(&self, group: u32) -> &[u32] {
        self.registry.members_of(group)
    }

    pub(crate) fn deliver_pending(&self, place: u32, tx: &mut Tx<'_>) {
        if let Some(slot) = self.registry.streams.get(place) {
            self.delivery(tx).deliver_pending(slot, &mut tx.out);
        }
    }

    /// Delivers pending publishes to a user's only stream before the user's second stream moves it
    /// into a group. The key of that group can be a reused key that an unfinished publish still
    /// refers to.
    pub(crate) fn deliver_pending_only_of(&mut self, user: &UserId, tx: &mut Tx<'_>) {
        if self.jobs.is_empty() {
            return;
        }
        if let [only] = *self.registry.members(GroupKind::User, user.as_str()) {
            self.deliver_pending(only, tx);
            self.finish(tx);
        }
    }

    /// Delivers pending publishes to a stream that is about to move within its group, because a
    /// sweep could skip it.
    fn deliver_pending_last_of(&self, membership: GroupMembership, tx: &mut Tx<'_>) {
        if self.jobs.is_empty() {
            return;
        }
        if let Some(last) = self.registry.last_of(membership) {
            self.deliver_pending(last, tx);
        }
    }

    pub(crate) fn end_stream(&mut self, place: u32, farewell: Farewell, tx: &mut Tx<'_>) -> bool {
        self.deliver_pending(place, tx);
        let Some(slot) = self.detach(place, tx) else {
            return false;
        };
        let reason = farewell.reason;
        let wakers = slot.stream.queue.lock().end(farewell);
        tx.out.wake_later(wakers);
        self.leavers.add(slot.stream, reason, tx.now);
        true
    }

    fn detach(&mut self, place: u32, tx: &mut Tx<'_>) -> Option<Slot> {
        if !self.jobs.is_empty() {
            let memberships = self.registry.streams.get(place)?.memberships.clone();
            memberships
                .iter()
                .for_each(|membership| self.deliver_pending_last_of(*membership, tx));
        }
        self.registry.remove(place)
    }

    /// Updates the counters, and ends the streams whose queues were full.
    pub(crate) fn finish(&mut self, tx: &mut Tx<'_>) {
        while let Some(place) = tx.out.full.pop() {
            self.counts.dropped += 1;
            self.end_stream(place, Farewell::new(DisconnectReason::Overflow), tx);
        }
        self.counts.queued += std::mem::take(&mut tx.out.queued);
        self.counts.dropped += std::mem::take(&mut tx.out.dropped_events);
    }

    /// Sends an event of the manager itself to every stream.
    pub(crate) fn send_to_all(&mut self, event: Event, tx: &mut Tx<'_>) -> Sequenced {
        let message = Message::new(event, None, self.unlogged_mark());
        self.publish(&Target::All, &[], message, tx)
    }
}
