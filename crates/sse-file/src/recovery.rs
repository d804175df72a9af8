//! Recovers a log when its directory is opened.

use std::{
    collections::VecDeque,
    error::Error,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use sse_core::backplane::{Epoch, IdempotencyKeys, KEY_WINDOW, unix_ms};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{
    config::FileConfig,
    directory::Directory,
    end::{END, EndMark},
    error::{Damage, OpenError, ReadError},
    index::Index,
    key_files::KeyFiles,
    metadata::{Left, META, Meta, boot},
    record::{Flaw, Record, Seal},
    runs::Runs,
    segment::{Scan, Segment, SegmentContent, scan},
    segment_header::{HEADER_BYTES, SegmentHeader},
};

/// A recovered log, or a new one.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) directory: Directory,
    pub(crate) meta: Meta,
    pub(crate) end_mark: EndMark,
    /// The segments, at least one.
    pub(crate) segments: VecDeque<Arc<Segment>>,
    pub(crate) keys: IdempotencyKeys<u64>,
    pub(crate) key_files: KeyFiles,
}

/// Returns the number of bytes between two points of the index. All indexes together take about a
/// megabyte at most.
pub(crate) fn index_step(config: &FileConfig) -> u64 {
    (config.retention.bytes >> 16).max(16 << 10)
}

pub(crate) fn recover(directory: Directory, config: &FileConfig) -> Result<Recovered, OpenError> {
    let path = directory.file(META);
    let files = directory.segments()?;
    let meta = match fs::read(&path) {
        Ok(text) => Meta::parse(&text, &path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && files.is_empty() => {
            return create(directory, config);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = "the file is missing, but segments exist";
            return Err(Damage {
                file: path,
                offset: 0,
                what,
            }
            .into());
        }
        Err(error) => return Err(OpenError::io(path)(error)),
    };
    let mut found = Vec::with_capacity(files.len());
    for (name, file) in files {
        found.extend(inspect(name, file, &meta)?);
    }
    if found.is_empty() {
        warn!(dir = %directory.path().display(), "lost all segments of an event log: creating a new log");
        return create(directory, config);
    }
    found.windows(2).for_each(check_neighbours);
    restore(directory, meta, &found, config)
}

/// The file of a segment.
#[derive(Debug)]
struct FoundSegments {
    path: PathBuf,
    header: SegmentHeader,
    bytes: u64,
    /// Set if the header is intact. Otherwise only the file's name is known.
    is_sound: bool,
}

/// Reads the header of a segment. Returns `None` if the file does not belong to this log.
fn inspect(name: u64, path: PathBuf, meta: &Meta) -> Result<Option<FoundSegments>, OpenError> {
    let damage = match SegmentHeader::read(&path, meta.seal) {
        Ok((header, bytes)) if header.first == name => {
            return Ok(Some(FoundSegments {
                path,
                header,
                bytes,
                is_sound: true,
            }));
        }
        Ok(_) => {
            warn!(file = %path.display(), "skipped a segment of an event log: its name does not match its header");
            return Ok(None);
        }
        Err(ReadError::Damaged(damage)) => damage,
        Err(error) => return Err(error.into()),
    };
    if meta.newest > 0 && name > meta.newest {
        warn!(file = %path.display(), error = &damage as &dyn Error, "skipped a file that is not a segment of the event log");
        return Ok(None);
    }
    error!(file = %path.display(), offset = damage.offset, what = damage.what, "detected a damaged header of a segment of an event log");
    let file = fs::metadata(&path).map_err(OpenError::io(&path))?;
    let modified = file
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let created_ms = modified.map_or_else(unix_ms, |at| {
        u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
    });
    let header = SegmentHeader {
        first: name,
        created_ms,
        previous_first: 0,
        previous_bytes: 0,
    };
    Ok(Some(FoundSegments {
        path,
        header,
        bytes: file.len(),
        is_sound: false,
    }))
}

fn create(directory: Directory, config: &FileConfig) -> Result<Recovered, OpenError> {
    let meta = Meta::new(config.sync);
    let path = directory.file(META);
    directory
        .write(&path, meta.to_text().as_bytes())
        .map_err(OpenError::io(path))?;
    let header = SegmentHeader {
        first: 1,
        created_ms: unix_ms(),
        previous_first: 0,
        previous_bytes: 0,
    };
    let segment = begin(&directory, meta.seal, header, config)?;
    let segments = VecDeque::from([Arc::new(segment)]);
    let (end_mark, _) = open_end_mark(&directory, meta.seal)?;
    let (keys, key_files) = (IdempotencyKeys::default(), KeyFiles::default());
    Ok(Recovered {
        directory,
        meta,
        end_mark,
        segments,
        keys,
        key_files,
    })
}

/// Returns the content of a new segment.
pub(crate) fn empty(header: SegmentHeader, config: &FileConfig) -> SegmentContent {
    let index = Some(Index::new(index_step(config)));
    SegmentContent {
        entries: 0,
        bytes: HEADER_BYTES,
        last_ms: header.created_ms,
        index,
    }
}

fn restore(
    directory: Directory,
    mut meta: Meta,
    found: &[FoundSegments],
    config: &FileConfig,
) -> Result<Recovered, OpenError> {
    let mut recovery = LogRecovery {
        seal: meta.seal,
        step: index_step(config),
        keys: IdempotencyKeys::default(),
        now_ms: unix_ms(),
    };
    let (now, now_ms, first) = (Instant::now(), recovery.now_ms, found[0].header.first);
    let mut oldest_key = u64::MAX;
    let key_files = KeyFiles::read(&directory, meta.seal, first, now_ms, |record| {
        oldest_key = oldest_key.min(record.sequence);
        remember(&mut recovery.keys, record, now, now_ms);
    })?;
    let mut segments = VecDeque::with_capacity(found.len() + 1);
    for pair in found.windows(2) {
        segments.push_back(Arc::new(recovery.full(&pair[0], &pair[1].header)?));
    }
    let newest = &found[found.len() - 1];
    let last = recovery.last(newest)?;
    let (end_mark, noted) = open_end_mark(&directory, meta.seal)?;
    let (next, after_loss) = meta.goes_on_with(newest.header.first, &last, noted);
    if meta.is_older_than(newest.header.first, last.end) {
        let dir = directory.path().display();
        error!(%dir, "detected entries of an event log that are newer than its META: setting a new epoch, and returning clients receive a gap");
        (meta.epoch, meta.runs) = (Epoch::random(), Runs::new());
    }
    if after_loss {
        let (dir, end) = (directory.path().display(), last.end);
        error!(%dir, end, next, "lost the end of an event log: clients receive a gap");
    }
    // After doubtful data a new segment starts. If the old segment has no entry, the new one takes
    // its name.
    let goes_on = !after_loss && newest.is_sound && !last.is_doubtful;
    if goes_on || next > newest.header.first {
        let content = SegmentContent {
            entries: next - newest.header.first,
            ..last.content
        };
        let segment = Segment::new(newest.header, newest.path.clone(), content);
        segments.push_back(Arc::new(segment));
    }
    if !goes_on {
        let previous = segments
            .back()
            .map(|segment| (segment.first, segment.size().1));
        let (previous_first, previous_bytes) = previous.unwrap_or_default();
        let header = SegmentHeader {
            first: next,
            created_ms: unix_ms(),
            previous_first,
            previous_bytes,
        };
        segments.push_back(Arc::new(begin(&directory, meta.seal, header, config)?));
    }
    meta.newest = segments.back().map_or(next, |segment| segment.first);
    // A retried publish is answered with the position of its first entry, even if that entry was
    // removed.
    meta.runs.trim(
        segments
            .front()
            .map_or(next, |segment| segment.first)
            .min(oldest_key)
            .saturating_sub(1),
    );
    meta.runs.begin(next, after_loss);
    meta.boot = boot();
    meta.left = Left::open(config.sync);
    meta.end = None;
    let path = directory.file(META);
    directory
        .write(&path, meta.to_text().as_bytes())
        .map_err(OpenError::io(path))?;
    Ok(Recovered {
        directory,
        meta,
        end_mark,
        segments,
        keys: recovery.keys,
        key_files,
    })
}

fn open_end_mark(directory: &Directory, seal: Seal) -> Result<(EndMark, Option<u64>), OpenError> {
    EndMark::open(directory, seal).map_err(OpenError::io(directory.file(END)))
}

fn begin(
    directory: &Directory,
    seal: Seal,
    header: SegmentHeader,
    config: &FileConfig,
) -> Result<Segment, OpenError> {
    let path = directory.segment(header.first);
    directory
        .write(&path, &header.to_bytes(seal))
        .map_err(OpenError::io(&path))?;
    Ok(Segment::new(header, path, empty(header, config)))
}

impl Meta {
    /// Returns the number of the next entry, and `true` if entries before it may have been lost. In
    /// that case the number follows all known numbers that were assigned, with at least one number
    /// in between.
    fn goes_on_with(&self, newest: u64, last: &Last, noted: Option<u64>) -> (u64, bool) {
        let end = last.end;
        let closed_at = self.end.filter(|_| self.left == Left::Closed);
        // While the log was open, the noted number may be older than the actual end.
        let known = closed_at.max(noted).unwrap_or_default();
        let is_doubtful = last.is_doubtful || self.may_have_lost() || newest < self.newest;
        if end < known || (closed_at.is_none() && is_doubtful) {
            (
                known
                    .max(self.newest)
                    .max(end + u64::from(closed_at.is_none()))
                    + 1,
                true,
            )
        } else {
            (end + 1, false)
        }
    }

    /// Returns `true` if entries were appended that `META` does not know: then `META` is a copy
    /// from an earlier time.
    fn is_older_than(&self, newest: u64, end: u64) -> bool {
        let known = self.end.filter(|_| self.left == Left::Closed);
        known.is_some_and(|known| end > known)
            || (self.newest > 0 && newest > self.newest && end >= newest)
    }
}

/// Checks the length of a segment, which the header of the next segment contains.
fn check_neighbours(pair: &[FoundSegments]) {
    let [found, next] = pair else { return };
    if !next.is_sound {
        return;
    }
    let file = found.path.display();
    if next.header.previous_first != found.header.first {
        let file = next.path.display();
        error!(%file, "lost the segment of an event log before this segment: clients receive a gap");
    } else if next.header.previous_bytes != found.bytes {
        let (bytes, before) = (found.bytes, next.header.previous_bytes);
        error!(%file, bytes, before, "detected a changed length of a segment of an event log");
    }
}

/// Remembers the key of a record, if the record has a key that still counts.
fn remember(keys: &mut IdempotencyKeys<u64>, record: &Record, now: Instant, now_ms: u64) {
    let age = Duration::from_millis(now_ms.saturating_sub(record.unix_ms));
    if let Some(key) = record.key.clone().filter(|_| age < KEY_WINDOW) {
        keys.insert_at(key, record.sequence, now.checked_sub(age).unwrap_or(now));
    }
}

struct LogRecovery {
    seal: Seal,
    step: u64,
    keys: IdempotencyKeys<u64>,
    now_ms: u64,
}

/// The segment that was being written, as it was found.
#[derive(Debug)]
struct Last {
    content: SegmentContent,
    /// The number of its last entry.
    end: u64,
    /// Set if the last data of the segment is not intact; that data may have been acknowledged.
    is_doubtful: bool,
}

impl LogRecovery {
    /// Recovers a segment that is followed by another one. Its records are read now only if their
    /// keys still count.
    fn full(&mut self, found: &FoundSegments, next: &SegmentHeader) -> Result<Segment, OpenError> {
        let FoundSegments {
            path,
            header,
            bytes,
            ..
        } = found;
        let entries = next.first - header.first;
        let mut content = SegmentContent {
            entries,
            bytes: *bytes,
            last_ms: next.created_ms,
            index: None,
        };
        if u128::from(self.now_ms.saturating_sub(content.last_ms)) < KEY_WINDOW.as_millis() {
            let scan = self.scan(path, header, *bytes)?;
            if scan.ending.is_some() {
                error!(file = %path.display(), offset = scan.content.bytes, "detected damaged entries at the end of a segment of an event log");
            }
            content.index = scan.content.index;
        }
        Ok(Segment::new(*header, path.clone(), content))
    }

    /// Recovers the segment that was being written.
    fn last(&mut self, found: &FoundSegments) -> Result<Last, OpenError> {
        let FoundSegments {
            path,
            header,
            bytes,
            is_sound,
        } = found;
        let Scan {
            mut content,
            last,
            ending,
            ..
        } = self.scan(path, header, *bytes)?;
        let offset = content.bytes;
        let is_doubtful = match ending {
            None => !is_sound,
            // The record was incomplete when the process died. A file without its header was not
            // being written.
            Some(Flaw::Short) if *is_sound => false,
            Some(flaw) => {
                error!(file = %path.display(), offset, what = flaw.what(), "detected a damaged end of an event log");
                true
            }
        };
        if is_doubtful || !is_sound {
            // The file is not changed, and nothing is appended to it.
            content.bytes = *bytes;
            return Ok(Last {
                content,
                end: last,
                is_doubtful,
            });
        }
        let synced = File::options().write(true).open(path).and_then(|file| {
            if offset < *bytes {
                let file_name = path.display();
                info!(file = %file_name, offset, bytes = *bytes - offset, "removed an incomplete record at the end of an event log");
                file.set_len(offset)?;
            }
            // The last user of the log may have left the sync to the system.
            file.sync_all()
        });
        synced.map_err(OpenError::io(path))?;
        Ok(Last {
            content,
            end: last,
            is_doubtful,
        })
    }

    fn scan(&mut self, path: &Path, header: &SegmentHeader, bytes: u64) -> Result<Scan, OpenError> {
        let (now, now_ms) = (Instant::now(), self.now_ms);
        let keys = &mut self.keys;
        let remember = |record: &Record| remember(keys, record, now, now_ms);
        let found = scan(
            path,
            self.seal,
            (header.first, header.created_ms),
            bytes,
            self.step,
            remember,
        );
        let found = found.map_err(OpenError::io(path))?;
        for (offset, what) in &found.flaws {
            error!(file = %path.display(), offset, what, "detected a damaged entry of an event log: clients receive a gap");
        }
        Ok(found)
    }
}
