//! A file of consecutive entries.
//!
//! The header is 44 bytes: `SSEFILE1`, the number of the first entry, the time of creation
//! (milliseconds since the Unix epoch), the number of the first entry of the previous segment and
//! that segment's length in bytes (0 and 0 if there was none), and a checksum of all this. Records
//! follow.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use memchr::memmem;
use parking_lot::Mutex;
use sse_core::backplane::Entry;

use crate::{
    error::{Damage, ReadError},
    index::Index,
    page_builder::PageBuilder,
    record::{Flaw, HEAD_BYTES, MARKER, Record, RecordReader, Seal, body_length},
    runs::Runs,
    segment_header::{HEADER_BYTES, SegmentHeader},
};

/// Maximum size of a segment. Records store the synced length of a segment in 32 bits.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 256 << 20;

/// Number of bytes that are read from a file at once.
const READ_BYTES: usize = 64 << 10;

/// A segment of an open log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    pub(crate) created_ms: u64,
    content: Mutex<SegmentContent>,
}

/// The readable content of a segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentContent {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Time when the last entry was appended, or when the segment was created.
    pub(crate) last_ms: u64,
    /// The index, built when it is needed.
    pub(crate) index: Option<Index>,
}

/// The records of a whole segment.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) content: SegmentContent,
    /// The number of the last entry; if the segment is empty, the number before the first.
    pub(crate) last: u64,
    /// Offsets where a record should start and does not, each with the fault.
    pub(crate) flaws: Vec<(u64, &'static str)>,
    /// The fault after the last record, at `content.bytes`.
    pub(crate) ending: Option<Flaw>,
}

/// Reads a segment up to `end`, and skips invalid bytes.
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
    let mut scanned = Index::new(step);
    let content = SegmentContent {
        entries: 0,
        bytes: HEADER_BYTES,
        last_ms: created_ms,
        index: None,
    };
    let mut scan = Scan {
        content,
        last: first - 1,
        flaws: Vec::new(),
        ending: None,
    };
    loop {
        let offset = records.offset();
        let flaw = match records.next() {
            Ok(Some(record))
                if scan.last.checked_add(1) == Some(record.sequence) || follows(&record, &scan) =>
            {
                scanned.note(record.sequence, offset);
                visit(&record);
                scan.last = record.sequence;
                scan.content.bytes = records.offset();
                scan.content.last_ms = scan.content.last_ms.max(record.unix_ms);
                continue;
            }
            Ok(Some(_)) => {
                scan.flaws.push((offset, "record out of sequence"));
                continue;
            }
            Ok(None) => break,
            Err(Flaw::Io(error)) => return Err(error),
            Err(flaw) => flaw,
        };
        match find_record(path, seal, offset + 1, end)? {
            Some(next) => {
                scan.flaws.push((offset, flaw.what()));
                records = self::records(path, seal, next, end)?;
            }
            None => {
                scan.ending = Some(flaw);
                break;
            }
        }
    }
    // The maximum number has no successor.
    scan.content.entries = scan.last.wrapping_add(1).wrapping_sub(first);
    scan.content.index = Some(scanned);
    Ok(scan)
}

/// Returns `true` if a record follows the last one, possibly after damaged ones. A record with a
/// distant number belongs elsewhere.
fn follows(record: &Record, scan: &Scan) -> bool {
    record.sequence > scan.last && record.sequence - scan.last <= MAX_SEGMENT_BYTES
}

/// Returns the offset of the next record after an offset.
fn find_record(path: &Path, seal: Seal, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut at = from;
    let mut bytes = Vec::new();
    while at + HEAD_BYTES as u64 <= end {
        file.seek(SeekFrom::Start(at))?;
        bytes.clear();
        Read::by_ref(&mut file)
            .take((end - at).min(READ_BYTES as u64))
            .read_to_end(&mut bytes)?;
        if bytes.len() < HEAD_BYTES {
            break;
        }
        let head = |place: usize| bytes.get(place..place + HEAD_BYTES)?.try_into().ok();
        let found = memmem::find_iter(&bytes, &MARKER).find(|place| {
            let rest = end - at - *place as u64;
            head(*place)
                .and_then(|head| body_length(seal, head))
                .is_some_and(|body| HEAD_BYTES as u64 + body <= rest)
        });
        if let Some(place) = found {
            return Ok(Some(at + place as u64));
        }
        at += (bytes.len() + 1 - HEAD_BYTES) as u64;
    }
    Ok(None)
}

fn records(
    path: &Path,
    seal: Seal,
    from: u64,
    end: u64,
) -> io::Result<RecordReader<BufReader<File>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(RecordReader::new(
        BufReader::with_capacity(READ_BYTES, file),
        seal,
        from,
        end,
    ))
}

/// The parameters of a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) seal: Seal,
    pub(crate) step: u64,
    pub(crate) runs: &'a Runs,
    /// The last entry that must exist: the one before the next segment, or the last acknowledged
    /// one.
    pub(crate) last: u64,
}

/// The error if the next entry cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The number of the last entry that cannot be read.
    pub(crate) up_to: u64,
    pub(crate) error: ReadError,
}

impl Segment {
    pub(crate) fn new(header: SegmentHeader, path: PathBuf, content: SegmentContent) -> Self {
        Self {
            first: header.first,
            path,
            created_ms: header.created_ms,
            content: Mutex::new(content),
        }
    }

    /// Returns the number of entries, the number of bytes, and the time of the last append.
    pub(crate) fn size(&self) -> (u64, u64, u64) {
        let content = self.content.lock();
        (content.entries, content.bytes, content.last_ms)
    }

    /// Makes further records readable, each with its offset.
    pub(crate) fn grow(&self, records: &[(u64, u64)], bytes: u64, last_ms: u64) {
        let mut content = self.content.lock();
        content.entries += records.len() as u64;
        content.bytes = bytes;
        content.last_ms = last_ms;
        if let Some(index) = &mut content.index {
            records
                .iter()
                .for_each(|(sequence, offset)| index.note(*sequence, *offset));
        }
    }

    /// Reads entries after `after` up to the last, until the page is full or the segment ends.
    ///
    /// Entries after [`Reading::last`] are ignored: they may be written and not acknowledged yet.
    pub(crate) fn read(
        &self,
        reading: Reading<'_>,
        after: u64,
        page: &mut PageBuilder,
    ) -> Result<(), Unreadable> {
        let last = reading.last;
        let nothing = |error: ReadError| Unreadable { up_to: last, error };
        let (from, end) = self.place(reading, after + 1).map_err(nothing)?;
        let open =
            |from| records(&self.path, reading.seal, from, end).map_err(ReadError::io(&self.path));
        let mut records = open(from).map_err(nothing)?;
        let mut expected = after + 1;
        let mut flaw: Option<ReadError> = None;
        while expected <= last {
            let offset = records.offset();
            let error = match records.next() {
                Ok(Some(record)) if record.sequence < expected || record.sequence > last => {
                    continue;
                }
                Ok(Some(record)) if record.sequence > expected => {
                    let error = flaw.take().unwrap_or_else(|| {
                        self.damage(offset, "entries before this record are missing")
                    });
                    return Err(Unreadable {
                        up_to: record.sequence - 1,
                        error,
                    });
                }
                Ok(Some(record)) => {
                    // The damage is before the entry, and hides no entry.
                    flaw = None;
                    let position = reading.runs.position(expected);
                    if !page.push(Entry {
                        position,
                        payload: record.payload,
                    }) {
                        return Ok(());
                    }
                    expected += 1;
                    continue;
                }
                Ok(None) => {
                    let missing =
                        || self.damage(offset, "entries at the end of the segment are missing");
                    return Err(nothing(flaw.unwrap_or_else(missing)));
                }
                Err(error) => self.flawed(offset, error),
            };
            let error = flaw.take().unwrap_or(error);
            match find_record(&self.path, reading.seal, offset + 1, end) {
                Ok(Some(next)) => records = open(next).map_err(nothing)?,
                Ok(None) => return Err(nothing(error)),
                Err(error) => return Err(nothing(ReadError::io(&self.path)(error))),
            }
            flaw = Some(error);
        }
        Ok(())
    }

    /// Returns an offset close before an entry, and the end of the readable bytes.
    fn place(&self, reading: Reading<'_>, sequence: u64) -> Result<(u64, u64), ReadError> {
        let content = self.content.lock();
        let end = content.bytes;
        if let Some(index) = &content.index {
            return Ok((index.at_or_before(sequence), end));
        }
        // The lock is not held while the file is read. Two concurrent readers both read the file.
        drop(content);
        let header = (self.first, self.created_ms);
        let scan = scan(&self.path, reading.seal, header, end, reading.step, |_| ());
        let content = scan.map_err(ReadError::io(&self.path))?.content;
        let from = content
            .index
            .as_ref()
            .map_or(HEADER_BYTES, |index| index.at_or_before(sequence));
        self.content.lock().index = content.index;
        Ok((from, end))
    }

    fn flawed(&self, offset: u64, flaw: Flaw) -> ReadError {
        match flaw {
            Flaw::Io(error) => ReadError::io(&self.path)(error),
            flaw => self.damage(offset, flaw.what()),
        }
    }

    fn damage(&self, offset: u64, what: &'static str) -> ReadError {
        Damage {
            file: self.path.clone(),
            offset,
            what,
        }
        .into()
    }
}
