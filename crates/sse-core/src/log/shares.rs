//! Fair scheduling of backplane reads.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
};

use crate::event::cursor::Position;

/// Maximum number of parties, and of positions of one party, that are considered for one read.
const CONSIDERED: usize = 16;

/// Number of reads after which a party that requests nothing is forgotten.
const REMEMBERED: u64 = 256;

/// The party that a read is counted for: all streams of a user, all streams of an anonymous
/// address, or one stream if neither is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Party(u64);

/// A scheduler that shares backplane reads fairly between parties.
///
/// Turns go in rounds. In each round, a party that has requests gets one read, whatever the number
/// of its streams. Within a round, the party that was served longest ago is first, so a returning
/// client waits for at most one read of each other party.
///
/// Among parties that were not served yet, the party with the lowest position is first. Within a
/// party, the next higher position is first. Ten thousand clients that return together are
/// therefore served by one pass over the log.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    hasher: RandomState,
    parties: HashMap<Party, Share>,
    /// Turns of the parties that have requests and no read in flight.
    ready: BTreeSet<Turn>,
    /// Round of the latest read.
    round: u64,
    reads: u64,
    /// Number of parties so far.
    numbers: u64,
}

/// The turn of a party. The least turn is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    round: u64,
    /// Number of the latest read of the party.
    served: u64,
    next: Position,
    /// Number of the party. Among equal turns, the party that came first is served first.
    number: u64,
    party: Party,
}

#[derive(Debug, Default)]
struct Share {
    number: u64,
    round: u64,
    served: u64,
    /// Position of the latest read.
    at: Option<Position>,
    is_reading: bool,
    /// Positions to read, each with the number of streams that wait there.
    wants: BTreeMap<Position, u32>,
    /// Number of reads when a stream last waited or was woken.
    touched: u64,
}

impl Share {
    /// Returns the positions to read, in the order in which the party goes through the log.
    fn places(&self) -> impl Iterator<Item = Position> {
        let at = self.at.unwrap_or_default();
        self.wants
            .range(at..)
            .chain(self.wants.range(..at))
            .map(|(place, _)| *place)
    }

    fn turn(&self, party: Party) -> Option<Turn> {
        let next = self.places().next().filter(|_| !self.is_reading)?;
        Some(Turn {
            round: self.round,
            served: self.served,
            next,
            number: self.number,
            party,
        })
    }
}

impl Shares {
    /// Returns the party with a name.
    pub(crate) fn party(&self, name: impl Hash) -> Party {
        Party(self.hasher.hash_one(name))
    }

    /// Adds a stream of a party that waits for what follows a position.
    pub(crate) fn add(&mut self, party: Party, place: Position) {
        let round = self.round;
        self.change(party, |share| {
            if share.wants.is_empty() {
                share.round = share.round.max(round);
            }
            *share.wants.entry(place).or_default() += 1;
        });
    }

    /// Removes a stream of a party that no longer waits.
    pub(crate) fn remove(&mut self, party: Party, place: Position) {
        self.change(party, |share| {
            let Some(streams) = share.wants.get_mut(&place) else {
                return;
            };
            *streams -= 1;
            if *streams == 0 {
                share.wants.remove(&place);
            }
        });
    }

    /// Returns the next read among those that `may_begin` allows.
    pub(crate) fn next(&self, may_begin: impl Fn(Position) -> bool) -> Option<(Party, Position)> {
        self.ready.iter().take(CONSIDERED).find_map(|turn| {
            let share = self.parties.get(&turn.party)?;
            let place = share
                .places()
                .take(CONSIDERED)
                .find(|place| may_begin(*place))?;
            Some((turn.party, place))
        })
    }

    /// Starts a read that a party requested.
    pub(crate) fn begin(&mut self, party: Party, place: Position) {
        self.reads += 1;
        let reads = self.reads;
        let mut round = self.round;
        self.change(party, |share| {
            round = round.max(share.round);
            (share.round, share.served) = (round + 1, reads);
            (share.at, share.is_reading) = (Some(place), true);
        });
        self.round = round;
        if reads.is_multiple_of(REMEMBERED) {
            self.parties.retain(|_, share| {
                share.is_reading || !share.wants.is_empty() || share.touched + REMEMBERED > reads
            });
        }
    }

    /// Ends the read of a party.
    pub(crate) fn end(&mut self, party: Party) {
        self.change(party, |share| share.is_reading = false);
    }

    /// Ends all reads, because their reader has ended.
    pub(crate) fn end_all(&mut self) {
        let reading = self.parties.iter().filter(|(_, share)| share.is_reading);
        let reading: Vec<_> = reading.map(|(party, _)| *party).collect();
        reading.into_iter().for_each(|party| self.end(party));
    }

    fn change(&mut self, party: Party, change: impl FnOnce(&mut Share)) {
        // New parties come after those that already wait.
        let (number, round) = (self.numbers, self.round + 1);
        let share = self.parties.entry(party).or_insert_with(|| Share {
            number,
            round,
            ..Share::default()
        });
        self.numbers += u64::from(share.number == number);
        let before = share.turn(party);
        change(share);
        share.touched = self.reads;
        let after = share.turn(party);
        if before != after {
            before.map(|turn| self.ready.remove(&turn));
            self.ready.extend(after);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Reads for the party whose turn it is. Returns the party and the position.
    fn read(shares: &mut Shares) -> Option<(u64, u64)> {
        let (party, place) = shares.next(|_| true)?;
        shares.begin(party, place);
        shares.end(party);
        shares.remove(party, place);
        Some((party.0, place.minor()))
    }

    #[test]
    fn party_with_many_positions_reads_once_per_round() {
        let mut shares = Shares::default();
        (0..500).for_each(|place| shares.add(Party(1), (place * 7 % 500).into()));
        for _ in 0..10 {
            read(&mut shares);
        }
        shares.add(Party(2), 499.into());
        for page in 0..100 {
            assert_eq!(read(&mut shares), Some((2, 499 + page)));
            // The second party takes what was read, while the first party reads on.
            assert_eq!(read(&mut shares).unwrap().0, 1);
            shares.add(Party(2), (500 + page).into());
        }
    }

    #[test]
    fn simultaneous_parties_read_the_log_in_order() {
        let mut shares = Shares::default();
        (0..1000).for_each(|party| shares.add(Party(party), (party % 100 * 10).into()));
        let mut before = 0;
        for _ in 0..1000 {
            let (_, place) = read(&mut shares).unwrap();
            assert!(place >= before, "{place} after {before}");
            before = place;
        }
        assert_eq!(read(&mut shares), None);
    }

    #[test]
    fn newcomers_do_not_delay_waiting_parties() {
        let mut shares = Shares::default();
        shares.add(Party(0), 1_000_000.into());
        for newcomer in 1..1000 {
            shares.add(Party(newcomer), newcomer.into());
            if read(&mut shares).unwrap().0 == 0 {
                assert!(newcomer <= 2, "{newcomer} newcomers came first");
                return;
            }
        }
        panic!("the waiting party never reads");
    }

    #[test]
    fn single_party_reads_the_log_and_starts_again() {
        let mut shares = Shares::default();
        [5, 1, 9]
            .into_iter()
            .for_each(|place| shares.add(Party(1), place.into()));
        let mut next = || read(&mut shares).unwrap().1;
        assert_eq!((next(), next()), (1, 5));
        shares.add(Party(1), 2.into());
        let mut next = || read(&mut shares).unwrap().1;
        assert_eq!((next(), next()), (9, 2));
    }

    #[test]
    fn party_reads_one_position_and_is_removed_later() {
        let mut shares = Shares::default();
        shares.add(Party(1), 1.into());
        shares.add(Party(1), 2.into());
        let (party, place) = shares.next(|_| true).unwrap();
        shares.begin(party, place);
        assert_eq!(shares.next(|_| true), None);
        shares.end_all();
        assert_eq!(
            shares.next(|place| place != 1.into()),
            Some((Party(1), 2.into()))
        );
        shares.remove(Party(1), 1.into());
        shares.remove(Party(1), 2.into());
        for number in 0..3 * REMEMBERED {
            shares.add(Party(2), number.into());
            read(&mut shares);
        }
        assert_eq!(shares.parties.len(), 1);
    }
}
