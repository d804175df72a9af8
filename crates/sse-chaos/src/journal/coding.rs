//! Records as bytes: what differs from the record before, in as few as that takes.

use sse_core::Position;

use crate::journal::Place;

/// The kinds of records, in the lowest bits of the first byte.
const NOTE: u8 = 0;
const EVENT: u8 = 1;
const MOVED: u8 = 2;
const KIND: u8 = 3;

/// What else the first byte says.
const HAS_NUMBER: u8 = 1 << 2;
const HAS_PLACE: u8 = 1 << 3;
const OTHER_EPOCH: u8 = 1 << 4;
const OTHER_MAJOR: u8 = 1 << 5;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// When, in microseconds.
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Event {
        number: Option<u64>,
        at: Option<Place>,
    },
    Moved(Place),
    /// The next of those that are kept elsewhere.
    Note,
}

/// What the next record is told in terms of.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    at: u64,
    number: u64,
    place: Place,
}

/// Records, packed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    before: Before,
}

/// Unpacks records.
#[derive(Debug, Clone)]
pub(crate) struct Unpacked<'a> {
    bytes: &'a [u8],
    before: Before,
}

impl Packed {
    /// Appends a record; its time is not before the last one's.
    pub(crate) fn push(&mut self, at: u64, what: What) {
        let at = at.max(self.before.at);
        let (kind, number, place) = match what {
            What::Event { number, at } => (EVENT, number, at),
            What::Moved(at) => (MOVED, None, Some(at)),
            What::Note => (NOTE, None, None),
        };
        let before = self.before;
        let is_other = |differs: fn(Place, Place) -> bool| place.is_some_and(|it| differs(it, before.place));
        let flags = [
            (HAS_NUMBER, number.is_some()),
            (HAS_PLACE, place.is_some()),
            (OTHER_EPOCH, is_other(|one, other| one.epoch != other.epoch)),
            (OTHER_MAJOR, is_other(|one, other| one.position.major() != other.position.major())),
        ];
        let flags = flags.iter().filter(|(_, is_set)| *is_set).fold(kind, |flags, (flag, _)| flags | flag);
        self.bytes.push(flags);
        self.varint(at - before.at);
        self.before.at = at;
        if let Some(number) = number {
            self.difference(number, before.number);
            self.before.number = number;
        }
        if let Some(place) = place {
            self.place(place, flags);
            self.before.place = place;
        }
    }

    pub(crate) fn iter(&self) -> Unpacked<'_> {
        Unpacked { bytes: &self.bytes, before: Before::default() }
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    fn place(&mut self, place: Place, flags: u8) {
        let before = self.before.place;
        if flags & OTHER_EPOCH != 0 {
            self.varint(u64::from(place.epoch));
        }
        if flags & OTHER_MAJOR != 0 {
            self.difference(place.position.major(), before.position.major());
            // A count within another time has nothing to do with the one before.
            self.varint(place.position.minor());
        } else {
            self.difference(place.position.minor(), before.position.minor());
        }
    }

    fn difference(&mut self, value: u64, before: u64) {
        let difference = value.wrapping_sub(before).cast_signed();
        self.varint(((difference << 1) ^ (difference >> 63)).cast_unsigned());
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }
}

impl Unpacked<'_> {
    fn place(&mut self, flags: u8) -> Option<Place> {
        let before = self.before.place;
        let mut epoch = before.epoch;
        if flags & OTHER_EPOCH != 0 {
            epoch = u32::try_from(self.varint()?).ok()?;
        }
        let position = if flags & OTHER_MAJOR != 0 {
            let major = self.difference(before.position.major())?;
            Position::new(major, self.varint()?)
        } else {
            Position::new(before.position.major(), self.difference(before.position.minor())?)
        };
        self.before.place = Place { epoch, position };
        Some(self.before.place)
    }

    fn difference(&mut self, before: u64) -> Option<u64> {
        let value = self.varint()?;
        let difference = (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
        Some(before.wrapping_add(difference.cast_unsigned()))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(first & 0x7F) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Unpacked<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let (&flags, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        self.before.at += self.varint()?;
        let mut number = None;
        if flags & HAS_NUMBER != 0 {
            self.before.number = self.difference(self.before.number)?;
            number = Some(self.before.number);
        }
        let mut place = None;
        if flags & HAS_PLACE != 0 {
            place = Some(self.place(flags)?);
        }
        let what = match flags & KIND {
            EVENT => What::Event { number, at: place },
            MOVED => What::Moved(place?),
            _ => What::Note,
        };
        Some(Record { at: self.before.at, what })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places() -> impl Strategy<Value = Place> {
        let number = || prop_oneof![0..3_u64, any::<u64>()];
        (0..3_u32, number(), number())
            .prop_map(|(epoch, major, minor)| Place { epoch, position: Position::new(major, minor) })
    }

    fn whats() -> impl Strategy<Value = What> {
        let number = proptest::option::of(prop_oneof![0..100_u64, any::<u64>()]);
        prop_oneof![
            (number, proptest::option::of(places())).prop_map(|(number, at)| What::Event { number, at }),
            places().prop_map(What::Moved),
            Just(What::Note),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(records in proptest::collection::vec((0..1_u64 << 40, whats()), 0..50)) {
            let mut packed = Packed::default();
            let (mut at, mut expected) = (0, Vec::new());
            for (later, what) in records {
                at += later;
                packed.push(at, what);
                expected.push(Record { at, what });
            }
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn an_event_takes_few_bytes() {
        let mut packed = Packed::default();
        for number in 0..1000 {
            let position = Position::new(1_732_312_345_678 + number / 2 * 7, number % 2);
            let at = Some(Place { epoch: 0, position });
            packed.push(number * 3500, What::Event { number: Some(number * 5), at });
        }
        assert!(packed.size() <= 8 * 1000, "{}", packed.size());
    }

    #[test]
    fn time_does_not_go_back() {
        let mut packed = Packed::default();
        packed.push(7, What::Note);
        packed.push(3, What::Note);
        assert_eq!(packed.iter().map(|record| record.at).collect::<Vec<_>>(), [7, 7]);
    }
}
