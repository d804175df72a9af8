//! A file of entries that follow each other.
//!
//! Its header is 44 bytes: `SSEFILE1`, the number of its first entry, when it was begun (milliseconds since the Unix epoch), the number of the first entry of
//! the segment before and that one's length in bytes (0 and 0 if there was none), and a checksum of all this. Records follow.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use sse_core::Entry;

use crate::{
    error::{Damage, ReadError},
    index::Index,
    page::PageBuilder,
    record::{Flaw, Record, Records, Seal},
};

/// Records say with 32 bits how far a segment is synced.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 256 << 20;

const HEADER: usize = 44;

pub(crate) const HEADER_BYTES: u64 = HEADER as u64;

const MAGIC: [u8; 8] = *b"SSEFILE1";

/// What is read from a file at once.
const READ_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) first: u64,
    pub(crate) created_ms: u64,
    pub(crate) previous_first: u64,
    pub(crate) previous_bytes: u64,
}

impl Header {
    pub(crate) fn to_bytes(self, seal: Seal) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [self.first, self.created_ms, self.previous_first, self.previous_bytes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let checksum = seal.checksum(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn parse(seal: Seal, bytes: &[u8; HEADER]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        let is_ours = content.starts_with(&MAGIC) && *checksum == seal.checksum(content).to_le_bytes();
        let mut numbers =
            content[MAGIC.len()..].as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next().filter(|_| is_ours);
        let (first, created_ms) = (number()?, number()?);
        Some(Self { first, created_ms, previous_first: number()?, previous_bytes: number()? })
    }

    /// What stands in a file, and how long that is.
    pub(crate) fn read(path: &Path, seal: Seal) -> Result<(Self, u64), ReadError> {
        let mut file = File::open(path).map_err(failed(path))?;
        let bytes = file.metadata().map_err(failed(path))?.len();
        let damaged = |what| Damage { file: path.to_owned(), offset: 0, what };
        if bytes < HEADER_BYTES {
            return Err(damaged("the header of a segment, which is cut").into());
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(failed(path))?;
        let header = Self::parse(seal, &header)
            .ok_or_else(|| damaged("the header of a segment, or it is another log's"))?;
        Ok((header, bytes))
    }
}

/// A segment of an open log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    pub(crate) created_ms: u64,
    content: Mutex<Content>,
}

/// What is in a segment as far as it may be read.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// When the last entry was appended, or the segment was begun.
    pub(crate) last_ms: u64,
    /// Missing until somebody needs it.
    pub(crate) index: Option<Index>,
}

/// What a look through a whole segment found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) content: Content,
    /// Why it went no further, at `content.bytes`.
    pub(crate) flaw: Option<Flaw>,
}

/// Looks through a segment up to `end`, or to the first record that is none.
pub(crate) fn scan(
    path: &Path,
    seal: Seal,
    header: (u64, u64),
    end: u64,
    step: u64,
    mut visit: impl FnMut(&Record),
) -> io::Result<Scan> {
    let (first, created_ms) = header;
    let mut records = records(path, seal, HEADER_BYTES, end)?;
    let index = Index::new(step);
    let mut content = Content { entries: 0, bytes: HEADER_BYTES, last_ms: created_ms, index: None };
    let mut scanned = index;
    let flaw = loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => break None,
            Err(Flaw::Io(error)) => return Err(error),
            Err(flaw) => break Some(flaw),
        };
        if record.sequence != first + content.entries {
            break Some(Flaw::Wrong("a record that belongs elsewhere"));
        }
        scanned.note(record.sequence, content.bytes);
        visit(&record);
        content.entries += 1;
        content.bytes = records.offset();
        content.last_ms = content.last_ms.max(record.unix_ms);
    };
    content.index = Some(scanned);
    Ok(Scan { content, flaw })
}

fn records(path: &Path, seal: Seal, from: u64, end: u64) -> io::Result<Records<BufReader<File>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(Records::new(BufReader::with_capacity(READ_BYTES, file), seal, from, end))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ReadError {
    move |source| ReadError::Io { path: path.to_owned(), source }
}

impl Segment {
    pub(crate) fn new(header: Header, path: PathBuf, content: Content) -> Self {
        Self { first: header.first, path, created_ms: header.created_ms, content: Mutex::new(content) }
    }

    /// Entries and bytes, and when the last was appended.
    pub(crate) fn size(&self) -> (u64, u64, u64) {
        let content = self.content.lock();
        (content.entries, content.bytes, content.last_ms)
    }

    /// Further records may be read, each of which begins at its offset.
    pub(crate) fn grow(&self, records: &[(u64, u64)], bytes: u64, last_ms: u64) {
        let mut content = self.content.lock();
        content.entries += records.len() as u64;
        content.bytes = bytes;
        content.last_ms = last_ms;
        if let Some(index) = &mut content.index {
            records.iter().for_each(|(sequence, offset)| index.note(*sequence, *offset));
        }
    }

    /// Entries behind `after` and up to `head`, until the page is full or the segment ends.
    ///
    /// What is behind the head is written, and not acknowledged yet.
    pub(crate) fn read(
        &self,
        seal: Seal,
        step: u64,
        (after, head): (u64, u64),
        page: &mut PageBuilder,
    ) -> Result<(), ReadError> {
        let (from, end, last) = self.place(seal, step, after + 1)?;
        let mut records = records(&self.path, seal, from, end).map_err(failed(&self.path))?;
        let last = last.min(head);
        let mut wanted = after + 1;
        while wanted <= last {
            let offset = records.offset();
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Err(self.damage(offset, "entries are missing at its end")),
                Err(flaw) => return Err(self.flawed(offset, flaw)),
            };
            if record.sequence > wanted {
                return Err(self.damage(offset, "a record that belongs elsewhere"));
            }
            if record.sequence < wanted {
                continue;
            }
            if !page.push(Entry { position: wanted.into(), payload: record.payload }) {
                return Ok(());
            }
            wanted += 1;
        }
        Ok(())
    }

    /// From where an entry is found soon, up to where there is something to be read, and which entry stands last there.
    fn place(&self, seal: Seal, step: u64, sequence: u64) -> Result<(u64, u64, u64), ReadError> {
        let content = self.content.lock();
        let (end, entries) = (content.bytes, content.entries);
        let last = self.first + entries - 1;
        if let Some(index) = &content.index {
            return Ok((index.at_or_before(sequence), end, last));
        }
        // Nobody waits for a lock while the file is read; two who come at once both read it.
        drop(content);
        let scan = scan(&self.path, seal, (self.first, self.created_ms), end, step, |_| ());
        let Scan { content, flaw } = scan.map_err(failed(&self.path))?;
        if let Some(flaw) = flaw {
            return Err(self.flawed(content.bytes, flaw));
        }
        if content.entries != entries {
            return Err(self.damage(content.bytes, "entries are missing at its end"));
        }
        let from = content.index.as_ref().map_or(HEADER_BYTES, |index| index.at_or_before(sequence));
        self.content.lock().index = content.index;
        Ok((from, end, last))
    }

    fn flawed(&self, offset: u64, flaw: Flaw) -> ReadError {
        match flaw {
            Flaw::Short => self.damage(offset, "a record that is cut"),
            Flaw::Wrong(what) => self.damage(offset, what),
            Flaw::Io(error) => failed(&self.path)(error),
        }
    }

    fn damage(&self, offset: u64, what: &'static str) -> ReadError {
        Damage { file: self.path.clone(), offset, what }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_as_it_is_written_and_no_flip_passes() {
        let header = Header { first: 1, created_ms: u64::MAX, previous_first: 3, previous_bytes: 4 };
        let bytes: [u8; HEADER] = header.to_bytes(Seal(5)).try_into().unwrap();
        assert_eq!(Header::parse(Seal(5), &bytes), Some(header));
        assert_eq!(Header::parse(Seal(6), &bytes), None, "another log's");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(Seal(5), &flipped), None, "bit {bit}");
        }
    }
}
