//! The header of a segment.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::{
    error::{Damage, ReadError},
    record::Seal,
};

const HEADER: usize = 44;

pub(crate) const HEADER_BYTES: u64 = HEADER as u64;

const MAGIC: [u8; 8] = *b"SSEFILE1";

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) first: u64,
    pub(crate) created_ms: u64,
    pub(crate) previous_first: u64,
    pub(crate) previous_bytes: u64,
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self, seal: Seal) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [
            self.first,
            self.created_ms,
            self.previous_first,
            self.previous_bytes,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let checksum = seal.checksum(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn parse(seal: Seal, bytes: &[u8; HEADER]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let is_ours =
            content.starts_with(&MAGIC) && *checksum == seal.checksum(content).to_le_bytes();
        let mut numbers = content[MAGIC.len()..]
            .as_chunks::<8>()
            .0
            .iter()
            .map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next().filter(|_| is_ours);
        let (first, created_ms) = (number()?, number()?);
        Some(Self {
            first,
            created_ms,
            previous_first: number()?,
            previous_bytes: number()?,
        })
    }

    /// Reads the header of a file. Also returns the length of the file.
    pub(crate) fn read(path: &Path, seal: Seal) -> Result<(Self, u64), ReadError> {
        let mut file = File::open(path).map_err(ReadError::io(path))?;
        let metadata = file.metadata().map_err(ReadError::io(path))?;
        if !metadata.is_file() {
            return Err(ReadError::io(path)(io::Error::new(
                io::ErrorKind::IsADirectory,
                "the path is not a file",
            )));
        }
        let bytes = metadata.len();
        let damaged = |what| Damage {
            file: path.to_owned(),
            offset: 0,
            what,
        };
        if bytes < HEADER_BYTES {
            return Err(damaged("truncated header of a segment").into());
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(ReadError::io(path))?;
        let header = Self::parse(seal, &header)
            .ok_or_else(|| damaged("invalid header of a segment, or the segment of another log"))?;
        Ok((header, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips_and_flips_are_detected() {
        let header = SegmentHeader {
            first: 1,
            created_ms: u64::MAX,
            previous_first: 3,
            previous_bytes: 4,
        };
        let bytes: [u8; HEADER] = header.to_bytes(Seal(5)).try_into().unwrap();
        assert_eq!(SegmentHeader::parse(Seal(5), &bytes), Some(header));
        assert_eq!(
            SegmentHeader::parse(Seal(6), &bytes),
            None,
            "the header belongs to another log"
        );
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::parse(Seal(5), &flipped), None, "bit {bit}");
        }
    }
}
