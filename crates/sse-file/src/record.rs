//! The encoding of an entry in a segment.
//!
//! | bytes | |
//! |---|---|
//! | 4 | a marker |
//! | 4 | length of the body |
//! | 4 | checksum of the body |
//! | 4 | checksum of the twelve bytes before |
//! | 8 | body: sequence number |
//! | 8 | milliseconds since the Unix epoch |
//! | 4 | length up to which this segment was synced when the record was written |
//! | 1 | length of the key, 0 for none |
//! | | key, payload |
//!
//! Numbers are little-endian. Checksums are CRC-32C, seeded with a secret number of the log, so
//! that a payload cannot contain bytes that pass for a record.

use std::{
    io::{self, Read},
    str,
    sync::Arc,
};

use bytes::Bytes;

pub(crate) const MARKER: [u8; 4] = [0xa7, b'S', b'S', b'E'];
pub(crate) const HEAD_BYTES: usize = 16;
const FIXED_BODY_BYTES: usize = 21;

/// The initial value of a log's checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seal(pub(crate) u64);

impl Seal {
    pub(crate) fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.0.to_le_bytes()), bytes)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) unix_ms: u64,
    pub(crate) synced: u32,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) payload: Bytes,
}

/// The reason why bytes are not a record.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// The bytes end in the middle of the record.
    Short,
    /// The bytes are not those that were written.
    Wrong(&'static str),
    Io(io::Error),
}

impl Flaw {
    /// Returns the description of the fault.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Short => "truncated record",
            Self::Wrong(what) => what,
            Self::Io(_) => "unreadable record",
        }
    }
}

impl Record {
    #[cfg(test)]
    fn encoded_bytes(key: Option<&str>, payload: &[u8]) -> usize {
        HEAD_BYTES + FIXED_BODY_BYTES + key.map_or(0, str::len) + payload.len()
    }

    /// Appends the encoded record to `out`.
    pub(crate) fn encode(&self, seal: Seal, out: &mut Vec<u8>) {
        let key = self.key.as_deref().unwrap_or_default();
        let start = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.unix_ms.to_le_bytes());
        out.extend_from_slice(&self.synced.to_le_bytes());
        out.push(u8::try_from(key.len()).expect("the length of the key was checked"));
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&self.payload);
        let (head, body) = out[start..].split_at_mut(HEAD_BYTES);
        let length = u32::try_from(body.len()).expect("the length of the payload was checked");
        head[..4].copy_from_slice(&MARKER);
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..12].copy_from_slice(&seal.checksum(body).to_le_bytes());
        let checksum = seal.checksum(&head[..12]);
        head[12..].copy_from_slice(&checksum.to_le_bytes());
    }

    fn from_body(body: &Bytes) -> Result<Self, Flaw> {
        let (mut fixed, _) = body
            .split_at_checked(FIXED_BODY_BYTES)
            .ok_or(Flaw::Wrong("record body too short"))?;
        let sequence = u64::from_le_bytes(take(&mut fixed));
        let unix_ms = u64::from_le_bytes(take(&mut fixed));
        let synced = u32::from_le_bytes(take(&mut fixed));
        let [key_length] = take(&mut fixed);
        let payload_at = FIXED_BODY_BYTES + usize::from(key_length);
        let key = body
            .get(FIXED_BODY_BYTES..payload_at)
            .ok_or(Flaw::Wrong("record key too long"))?;
        let key = str::from_utf8(key).map_err(|_| Flaw::Wrong("record key is not UTF-8"))?;
        let key = (!key.is_empty()).then(|| key.into());
        Ok(Self {
            sequence,
            unix_ms,
            synced,
            key,
            payload: body.slice(payload_at..),
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk().expect("the length was checked");
    *bytes = rest;
    *taken
}

/// Reads records one after the other.
#[derive(Debug)]
pub(crate) struct RecordReader<R> {
    source: R,
    seal: Seal,
    /// Offset of the next record.
    offset: u64,
    end: u64,
}

impl<R: Read> RecordReader<R> {
    /// Creates a reader of `source`, which is at `offset`. The reader stops at `end`.
    pub(crate) fn new(source: R, seal: Seal, offset: u64, end: u64) -> Self {
        Self {
            source,
            seal,
            offset,
            end,
        }
    }

    /// Returns the offset of the next record, or of the record with the flaw.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next record, or `None` at the end. After a flaw no further record can be read.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, Flaw> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        if left < HEAD_BYTES as u64 {
            return Err(Flaw::Short);
        }
        let mut head = [0; HEAD_BYTES];
        self.fill(&mut head)?;
        let (length, checksum) = parse_head(self.seal, &head)?;
        if u64::from(length) > left - HEAD_BYTES as u64 {
            return Err(Flaw::Short);
        }
        let mut body = vec![0; length as usize];
        self.fill(&mut body)?;
        if self.seal.checksum(&body) != checksum {
            return Err(Flaw::Wrong("wrong checksum of a record"));
        }
        let record = Record::from_body(&body.into())?;
        self.offset += HEAD_BYTES as u64 + u64::from(length);
        Ok(Some(record))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Flaw> {
        self.source
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Flaw::Short,
                _ => Flaw::Io(error),
            })
    }
}

/// Returns the length of the body that follows a head, or `None` if the bytes are not a head of
/// this log.
pub(crate) fn body_length(seal: Seal, head: &[u8; HEAD_BYTES]) -> Option<u64> {
    parse_head(seal, head)
        .ok()
        .map(|(length, _)| u64::from(length))
}

fn parse_head(seal: Seal, head: &[u8; HEAD_BYTES]) -> Result<(u32, u32), Flaw> {
    let mut rest = &head[..];
    let marker: [u8; 4] = take(&mut rest);
    let length = u32::from_le_bytes(take(&mut rest));
    let body_checksum = u32::from_le_bytes(take(&mut rest));
    let checksum = u32::from_le_bytes(take(&mut rest));
    if marker != MARKER || seal.checksum(&head[..12]) != checksum {
        return Err(Flaw::Wrong("invalid head of a record"));
    }
    Ok((length, body_checksum))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    const SEAL: Seal = Seal(0x1234_5678_9abc_def0);

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record = (
            any::<(u64, u64, u32)>(),
            option::of("\\PC{1,40}"),
            vec(any::<u8>(), 0..200),
        );
        let record = record.prop_map(|((sequence, unix_ms, synced), key, payload)| Record {
            sequence,
            unix_ms,
            synced,
            key: key.map(Into::into),
            payload: payload.into(),
        });
        vec(record, 0..8)
    }

    fn encode(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records
            .iter()
            .for_each(|record| record.encode(SEAL, &mut bytes));
        let lengths = records
            .iter()
            .map(|record| Record::encoded_bytes(record.key.as_deref(), &record.payload));
        assert_eq!(lengths.sum::<usize>(), bytes.len());
        bytes
    }

    fn decode(bytes: &[u8], seal: Seal) -> (Vec<Record>, u64, Option<Flaw>) {
        let mut source = RecordReader::new(bytes, seal, 0, bytes.len() as u64);
        let mut records = Vec::new();
        loop {
            match source.next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return (records, source.offset(), None),
                Err(flaw) => return (records, source.offset(), Some(flaw)),
            }
        }
    }

    proptest! {
        #[test]
        fn records_round_trip(records in records()) {
            let bytes = encode(&records);
            let (read, offset, flaw) = decode(&bytes, SEAL);
            prop_assert!(flaw.is_none());
            prop_assert_eq!((read, offset), (records, bytes.len() as u64));
        }

        #[test]
        fn cut_is_detected_and_keeps_earlier_records(records in records(), at: prop::sample::Index) {
            let bytes = encode(&records);
            prop_assume!(!bytes.is_empty());
            let (read, offset, flaw) = decode(&bytes[..at.index(bytes.len())], SEAL);
            prop_assert_eq!(&read[..], &records[..read.len()]);
            let is_between = at.index(bytes.len()) as u64 == offset;
            prop_assert_eq!(matches!(flaw, Some(Flaw::Short)), !is_between, "{:?}", flaw);
        }

        #[test]
        fn flip_is_detected_and_differs_from_cut(records in records(), at: prop::sample::Index, bit in 0..8) {
            let mut bytes = encode(&records);
            prop_assume!(!bytes.is_empty());
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            let (read, offset, flaw) = decode(&bytes, SEAL);
            prop_assert_eq!(&read[..], &records[..read.len()]);
            prop_assert!(matches!(flaw, Some(Flaw::Wrong(_))), "{:?}", flaw);
            let record = &records[read.len()];
            let length = Record::encoded_bytes(record.key.as_deref(), &record.payload) as u64;
            prop_assert!((offset..offset + length).contains(&(at as u64)));
        }

        #[test]
        fn any_bytes_read_without_panic(bytes in vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(decode(&bytes, SEAL).0, []);
        }
    }

    #[test]
    fn record_of_another_log_is_rejected() {
        let record = Record {
            sequence: 1,
            unix_ms: 2,
            synced: 3,
            key: None,
            payload: Bytes::from_static(b"x"),
        };
        let (read, _, flaw) = decode(&encode(&[record]), Seal(1));
        assert!(
            read.is_empty() && matches!(flaw, Some(Flaw::Wrong("invalid head of a record"))),
            "{flaw:?}"
        );
    }
}
