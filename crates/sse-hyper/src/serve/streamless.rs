//! The connections without a stream, and the choice of the connection to close for a newcomer.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

/// Maximum number of connections that are checked to find an idle one. The maximum bounds the cost
/// of an eviction if all connections have a request in flight.
const CHECKS: usize = 32;

/// The owner of a connection, as identified by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AddressGroup {
    /// Proxies, which stand for many clients.
    Proxies,
    /// An address of IPv4.
    V4(u32),
    /// A network of 64 bits, of which a customer has at least one (RFC 6177).
    V6(u64),
}

impl AddressGroup {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// The connections from which one is chosen for eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Of(AddressGroup),
}

/// The connections without a stream, by their keys.
///
/// The group with the most connections loses one. Among groups of equal size, the group with the
/// longest idle connection loses one. Within a group, the choice is by second chance (the clock
/// algorithm): the oldest connection is closed, unless it was used since its last check. So the
/// cost of a request is one flag, and no client can crowd out the connections of other groups.
#[derive(Debug, Default)]
pub(crate) struct Streamless {
    groups: HashMap<AddressGroup, EvictionOrder>,
    /// The groups in the order in which they lose connections.
    order: BTreeSet<Rank>,
    places: HashMap<usize, (AddressGroup, u64)>,
    next_turn: u64,
}

/// The keys of a group's connections by their turn.
type EvictionOrder = BTreeMap<u64, usize>;

type Rank = (Reverse<usize>, u64, AddressGroup);

impl Streamless {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn len_of(&self, group: AddressGroup) -> usize {
        self.groups.get(&group).map_or(0, BTreeMap::len)
    }

    pub(crate) fn insert(&mut self, key: usize, group: AddressGroup) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.places.insert(key, (group, turn));
        self.change(group, |queue| queue.insert(turn, key));
    }

    pub(crate) fn remove(&mut self, key: usize) {
        if let Some((group, turn)) = self.places.remove(&key) {
            self.change(group, |queue| queue.remove(&turn));
        }
    }

    /// Chooses the connection to be closed. `is_used` returns `true` if a connection has a request
    /// in flight, or had one since the last call.
    pub(crate) fn victim(
        &mut self,
        scope: Scope,
        mut is_used: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let first_new_turn = self.next_turn;
        let mut oldest = None;
        for _ in 0..CHECKS {
            let Some((group, turn, key)) = self.first(scope) else {
                break;
            };
            if turn >= first_new_turn {
                break;
            }
            if !is_used(key) {
                return Some(key);
            }
            oldest.get_or_insert(key);
            self.remove(key);
            self.insert(key, group);
        }
        oldest
    }

    fn first(&self, scope: Scope) -> Option<(AddressGroup, u64, usize)> {
        let group = match scope {
            Scope::Of(group) => group,
            Scope::All => self.order.first()?.2,
        };
        let (&turn, &key) = self.groups.get(&group)?.first_key_value()?;
        Some((group, turn, key))
    }

    fn change<T>(&mut self, group: AddressGroup, change: impl FnOnce(&mut EvictionOrder) -> T) {
        let queue = self.groups.entry(group).or_default();
        if let Some(rank) = rank(group, queue) {
            self.order.remove(&rank);
        }
        change(queue);
        match rank(group, queue) {
            Some(rank) => drop(self.order.insert(rank)),
            None => drop(self.groups.remove(&group)),
        }
    }
}

/// Returns the rank of a group among the others. Proxies come last, regardless of the number of
/// their connections.
fn rank(group: AddressGroup, queue: &EvictionOrder) -> Option<Rank> {
    let (&turn, _) = queue.first_key_value()?;
    let weight = if group == AddressGroup::Proxies {
        0
    } else {
        queue.len()
    };
    Some((Reverse(weight), turn, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> AddressGroup {
        AddressGroup::V4(number)
    }

    /// Returns connections of these groups, whose keys are their indices in the list.
    fn of(groups: &[AddressGroup]) -> Streamless {
        let mut streamless = Streamless::default();
        groups
            .iter()
            .enumerate()
            .for_each(|(key, group)| streamless.insert(key, *group));
        streamless
    }

    /// Returns the keys in the order in which they are evicted.
    fn evicted(mut streamless: Streamless) -> Vec<usize> {
        let mut keys = Vec::new();
        while let Some(key) = streamless.victim(Scope::All, |_| false) {
            streamless.remove(key);
            keys.push(key);
        }
        keys
    }

    #[test]
    fn a_group_is_an_address_or_a_network_of_64_bits() {
        let group = |address: &str| AddressGroup::of(address.parse().unwrap());
        assert_eq!(group("10.0.0.1"), group("::ffff:10.0.0.1"));
        assert_ne!(group("10.0.0.1"), group("10.0.0.2"));
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:0:0:1"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
    }

    #[test]
    fn largest_group_loses_its_oldest_connection() {
        assert_eq!(
            evicted(of(&[v4(1), v4(2), v4(2), v4(3), v4(2)])),
            [1, 2, 0, 3, 4]
        );
    }

    #[test]
    fn proxies_come_last() {
        let proxies = AddressGroup::Proxies;
        assert_eq!(
            evicted(of(&[proxies, proxies, proxies, v4(1)])),
            [3, 0, 1, 2]
        );
    }

    #[test]
    fn used_connections_get_a_second_chance() {
        let mut streamless = of(&[v4(1); 4]);
        let mut used = [true, true, false, true];
        let chosen = streamless.victim(Scope::All, |key| std::mem::take(&mut used[key]));
        assert_eq!(chosen, Some(2));
        streamless.remove(2);
        // The flag of 3 is still set; 0 and 1 were moved after it.
        let chosen = streamless.victim(Scope::All, |key| std::mem::take(&mut used[key]));
        assert_eq!(chosen, Some(0));
    }

    #[test]
    fn choice_among_used_connections_is_bounded() {
        for count in [1, 2, CHECKS, 1000] {
            let mut streamless = of(&vec![v4(1); count]);
            let mut checks = 0;
            let chosen = streamless.victim(Scope::All, |_| {
                checks += 1;
                true
            });
            assert_eq!((chosen, checks), (Some(0), count.min(CHECKS)));
        }
    }

    #[test]
    fn nothing_is_chosen_from_an_empty_scope() {
        let mut streamless = of(&[v4(1)]);
        assert_eq!(streamless.victim(Scope::Of(v4(2)), |_| false), None);
        assert_eq!(streamless.victim(Scope::Of(v4(1)), |_| false), Some(0));
        streamless.remove(0);
        assert_eq!(streamless.victim(Scope::All, |_| false), None);
        assert!(streamless.groups.is_empty() && streamless.order.is_empty());
    }

    /// Compares with a list, with arrivals, departures and evictions in the order of a small random
    /// generator.
    #[test]
    fn no_group_loses_a_connection_while_another_has_more() {
        let mut seed = 1_u64;
        let mut random = move |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut streamless = Streamless::default();
        let mut model: Vec<(usize, AddressGroup)> = Vec::new();
        for key in 0..5000 {
            match random(5) {
                0..=2 if model.len() < 60 => {
                    let group = match random(12) {
                        0 => AddressGroup::Proxies,
                        1..=5 => v4(0),
                        other => v4(u32::try_from(other).unwrap()),
                    };
                    streamless.insert(key, group);
                    model.push((key, group));
                }
                3 if !model.is_empty() => {
                    let index = usize::try_from(random(model.len() as u64)).unwrap();
                    streamless.remove(model.remove(index).0);
                }
                _ => {
                    let used = random(2) == 0;
                    let Some(victim) = streamless.victim(Scope::All, |_| used && random(2) == 0)
                    else {
                        assert!(model.is_empty());
                        continue;
                    };
                    let count = |group| model.iter().filter(|(_, other)| *other == group).count();
                    let (_, group) = *model.iter().find(|(key, _)| *key == victim).unwrap();
                    let others: Vec<_> = model
                        .iter()
                        .filter(|(_, group)| *group != AddressGroup::Proxies)
                        .collect();
                    if group == AddressGroup::Proxies {
                        assert!(others.is_empty());
                    } else {
                        assert!(
                            others
                                .iter()
                                .all(|(_, other)| count(*other) <= count(group))
                        );
                    }
                    streamless.remove(victim);
                    model.retain(|(key, _)| *key != victim);
                }
            }
            assert_eq!(streamless.len(), model.len());
            assert_eq!(
                streamless.len_of(v4(0)),
                model.iter().filter(|(_, group)| *group == v4(0)).count()
            );
        }
    }
}
