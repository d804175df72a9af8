//! The registry of live streams, and the groups that they belong to.

pub(crate) mod bans;
pub(crate) mod closing;
pub(crate) mod groups;
pub(crate) mod logins;
pub(crate) mod membership;
pub(crate) mod slot;
pub(crate) mod user_changes;

use std::{collections::VecDeque, net::IpAddr, sync::Arc};

use smallvec::SmallVec;

use crate::{
    id::{
        client_id::{ClientId, ClientIds},
        login_id::LoginId,
        names::{Topic, UserId},
        network::network,
    },
    registry::{
        groups::{GroupKind, Groups, UserFound},
        logins::Logins,
        membership::GroupMembership,
        slot::Slot,
    },
    slab::ChunkedSlab,
    stream::shared::StreamState,
};

/// The live streams, and the groups that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) streams: ChunkedSlab<Slot>,
    pub(crate) groups: Groups,
    ids: ClientIds,
    logins: Logins,
    /// Streams in the order of arrival, including streams that have left. Kept only if a limit
    /// replaces the oldest stream.
    arrivals: Option<VecDeque<(u32, ClientId)>>,
}

impl Registry {
    pub(crate) fn new(remember_arrivals: bool) -> Self {
        Self {
            arrivals: remember_arrivals.then(VecDeque::new),
            ..Self::default()
        }
    }

    /// Inserts a stream that `make` creates for its index and id.
    pub(crate) fn insert(
        &mut self,
        make: impl FnOnce(u32, ClientId) -> StreamState,
    ) -> Option<Arc<StreamState>> {
        let ids = &self.ids;
        let place = self.streams.insert_with(|place| Slot {
            stream: Arc::new(make(place, ids.make(place))),
            memberships: SmallVec::new(),
        })?;
        let stream = Arc::clone(&self.streams.get(place)?.stream);
        self.remember(place, stream.id);
        Some(stream)
    }

    /// Returns the index of a live stream.
    pub(crate) fn place(&self, id: ClientId) -> Option<u32> {
        let place = self.ids.place(id);
        (self.streams.get(place)?.stream.id == id).then_some(place)
    }

    /// Returns the id of the sign-in that a stream belongs to.
    pub(crate) fn login(&self, place: u32) -> Option<LoginId> {
        self.logins.get(place)
    }

    pub(crate) fn set_login(&mut self, place: u32, login: LoginId) {
        self.logins.set(place, login);
    }

    pub(crate) fn oldest(&mut self) -> Option<u32> {
        let is_live = |place: u32, id| {
            self.streams
                .get(place)
                .is_some_and(|slot| slot.stream.id == id)
        };
        let arrivals = self.arrivals.as_mut()?;
        while let Some((place, id)) = arrivals.front().copied() {
            if is_live(place, id) {
                return Some(place);
            }
            arrivals.pop_front();
        }
        None
    }

    pub(crate) fn oldest_of(&self, kind: GroupKind, name: &str) -> Option<u32> {
        let streams = self
            .members(kind, name)
            .iter()
            .filter_map(|place| self.streams.get(*place));
        let oldest = streams.min_by_key(|slot| slot.stream.arrival)?;
        Some(oldest.stream.place)
    }

    /// Returns the streams of the group with this name, in no particular order.
    pub(crate) fn members(&self, kind: GroupKind, name: &str) -> &[u32] {
        self.find(kind, name)
            .map_or(&[], |group| self.members_of(group))
    }

    pub(crate) fn members_of(&self, group: u32) -> &[u32] {
        self.groups.members(&self.streams, group)
    }

    pub(crate) fn find(&self, kind: GroupKind, name: &str) -> Option<u32> {
        self.groups.find(&self.streams, kind, name)
    }

    /// See [`Groups::user_from`].
    pub(crate) fn user_from(&self, from: u32) -> Option<UserFound<'_>> {
        self.groups.user_from(&self.streams, from)
    }

    /// Adds a stream to a group. Returns `false` if the stream is already a member.
    pub(crate) fn join(&mut self, place: u32, kind: GroupKind, name: &Arc<str>) -> bool {
        let known = self.find(kind, name);
        let Some(slot) = self.streams.get(place) else {
            return false;
        };
        if slot
            .memberships
            .iter()
            .any(|membership| Some(membership.group) == known)
        {
            return false;
        }
        let Some(membership) = self.groups.add(&mut self.streams, kind, name, place) else {
            return false;
        };
        self.streams
            .get_mut(place)
            .map(|slot| slot.memberships.push(membership))
            .is_some()
    }

    pub(crate) fn membership(
        &self,
        place: u32,
        kind: GroupKind,
        name: &str,
    ) -> Option<GroupMembership> {
        let group = self.find(kind, name)?;
        let slot = self.streams.get(place)?;
        slot.memberships
            .iter()
            .find(|membership| membership.group == group)
            .copied()
    }

    /// Returns the stream that [`Registry::leave`] would move to another position.
    pub(crate) fn last_of(&self, membership: GroupMembership) -> Option<u32> {
        self.members_of(membership.group).last().copied()
    }

    pub(crate) fn leave(&mut self, place: u32, membership: GroupMembership) {
        if let Some(slot) = self.streams.get_mut(place) {
            slot.memberships.retain(|held| *held != membership);
            if slot.memberships.spilled() && slot.memberships.len() <= 2 {
                slot.memberships.shrink_to_fit();
            }
        }
        self.leave_group(membership);
    }

    /// Removes a stream from the registry and from its groups. The caller must first have delivered
    /// pending events to the stream and to the streams that move.
    pub(crate) fn remove(&mut self, place: u32) -> Option<Slot> {
        // Groups first: a group with one stream reads the user's name from that stream.
        let memberships = std::mem::take(&mut self.streams.get_mut(place)?.memberships);
        memberships
            .iter()
            .for_each(|membership| self.leave_group(*membership));
        let slot = self.streams.remove(place)?;
        self.logins.remove(place);
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| self.streams.len() == 0) {
            *arrivals = VecDeque::new();
        }
        Some(slot)
    }

    /// Returns the topics of a stream.
    pub(crate) fn topics_of(&self, slot: &Slot) -> Vec<Topic> {
        let groups = slot
            .memberships
            .iter()
            .filter_map(|membership| self.groups.get(membership.group));
        let topics = groups.filter(|group| group.kind == GroupKind::Topic);
        topics
            .map(|group| Topic::from_text(Arc::clone(&group.name)))
            .collect()
    }

    pub(crate) fn topic_count(&self, place: u32) -> usize {
        self.streams.get(place).map_or(0, |slot| {
            let groups = slot
                .memberships
                .iter()
                .filter_map(|held| self.groups.get(held.group));
            groups
                .filter(|group| group.kind == GroupKind::Topic)
                .count()
        })
    }

    /// Returns the user id as other streams of the user hold it, so that streams share its text.
    pub(crate) fn shared_user(&self, user: &UserId) -> UserId {
        let other = self.members(GroupKind::User, user.as_str()).first();
        let other = other.and_then(|place| self.streams.get(*place)?.stream.user.as_ref());
        other.unwrap_or(user).clone()
    }

    pub(crate) fn address_name(address: IpAddr) -> Arc<str> {
        network(address).to_string().into()
    }

    fn leave_group(&mut self, membership: GroupMembership) {
        let Some(moved) = self.groups.remove(&self.streams, membership) else {
            return;
        };
        let Some(slot) = self.streams.get_mut(moved) else {
            return;
        };
        if let Some(held) = slot
            .memberships
            .iter_mut()
            .find(|held| held.group == membership.group)
        {
            held.position = membership.position;
        }
    }

    fn remember(&mut self, place: u32, id: ClientId) {
        let live = self.streams.len();
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        arrivals.push_back((place, id));
        if arrivals.len() > 2 * live + 1024 {
            let streams = &self.streams;
            arrivals.retain(|(place, id)| {
                streams
                    .get(*place)
                    .is_some_and(|slot| slot.stream.id == *id)
            });
        }
    }
}
