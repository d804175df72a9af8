//! What is found when a directory is opened.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use memchr::memmem;
use sse_core::{Epoch, KEY_WINDOW, RecentKeys, unix_ms};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    config::FileConfig,
    directory::Directory,
    error::{Damage, OpenError, ReadError},
    index::Index,
    key_files::KeyFiles,
    meta::{Left, META, Meta, boot},
    record::{Flaw, MARKER, Record, Records, Seal},
    segment::{Content, HEADER_BYTES, Header, Scan, Segment, scan},
};

/// A log as it was found, or a new one.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) directory: Directory,
    pub(crate) meta: Meta,
    /// One at least.
    pub(crate) segments: VecDeque<Arc<Segment>>,
    pub(crate) keys: RecentKeys<u64>,
    pub(crate) key_files: KeyFiles,
}

/// Bytes between two points of the index, such that all of them together take about a megabyte at most.
pub(crate) fn index_step(config: &FileConfig) -> u64 {
    (config.retention.bytes >> 16).max(16 << 10)
}

pub(crate) fn recover(directory: Directory, config: &FileConfig) -> Result<Recovered, OpenError> {
    let path = directory.file(META);
    let found = directory.segments()?;
    let meta = match fs::read(&path) {
        Ok(text) => Meta::parse(&text, &path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && found.is_empty() => {
            return create(directory, config);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = "missing, though there are entries";
            return Err(Damage { file: path, offset: 0, what }.into());
        }
        Err(error) => return Err(OpenError::io(path)(error)),
    };
    if found.is_empty() {
        warn!(dir = %directory.path().display(), "the entries of an event log were taken away: it begins anew");
        return create(directory, config);
    }
    restore(directory, meta, &found, config)
}

fn create(directory: Directory, config: &FileConfig) -> Result<Recovered, OpenError> {
    let meta = Meta::new(config.sync);
    let path = directory.file(META);
    directory.write(&path, meta.to_text().as_bytes()).map_err(OpenError::io(path))?;
    let header = Header { first: 1, created_ms: unix_ms(), previous_first: 0, previous_bytes: 0 };
    let path = directory.segment(header.first);
    directory.write(&path, &header.to_bytes(meta.seal)).map_err(OpenError::io(&path))?;
    let segment = Segment::new(header, path, empty(header, config));
    let segments = VecDeque::from([Arc::new(segment)]);
    let (keys, key_files) = (RecentKeys::default(), KeyFiles::default());
    Ok(Recovered { directory, meta, segments, keys, key_files })
}

/// A segment that was just begun.
pub(crate) fn empty(header: Header, config: &FileConfig) -> Content {
    let index = Some(Index::new(index_step(config)));
    Content { entries: 0, bytes: HEADER_BYTES, last_ms: header.created_ms, index }
}

fn restore(
    directory: Directory,
    mut meta: Meta,
    found: &[(u64, PathBuf)],
    config: &FileConfig,
) -> Result<Recovered, OpenError> {
    let read = |(_, path): &(u64, PathBuf)| Ok((path.clone(), Header::read(path, meta.seal)?));
    let found = found.iter().map(read).collect::<Result<Vec<_>, ReadError>>()?;
    found.windows(2).try_for_each(check_neighbours)?;
    let mut recovery = Recovery {
        seal: meta.seal,
        step: index_step(config),
        keys: RecentKeys::default(),
        now_ms: unix_ms(),
    };
    let (now, now_ms, first) = (Instant::now(), recovery.now_ms, found[0].1.0.first);
    let key_files = KeyFiles::read(&directory, meta.seal, first, now_ms, |record| {
        remember(&mut recovery.keys, record, now, now_ms);
    })?;
    let mut segments = VecDeque::with_capacity(found.len() + 1);
    for pair in found.windows(2) {
        segments.push_back(Arc::new(recovery.full(&pair[0], &pair[1].1.0)?));
    }
    let (last, ending) = recovery.last(&found[found.len() - 1])?;
    segments.push_back(Arc::new(last));
    if ending == Ending::Doubtful || meta.may_have_lost() {
        let dir = directory.path().display();
        warn!(%dir, "the end of an event log may be lost, so it has a new epoch, and whoever returns is told of a gap");
        meta.epoch = Epoch::random();
    }
    meta.boot = boot();
    meta.left = Left::open(config.sync);
    let path = directory.file(META);
    directory.write(&path, meta.to_text().as_bytes()).map_err(OpenError::io(path))?;
    Ok(Recovered { directory, meta, segments, keys: recovery.keys, key_files })
}

type Found = (PathBuf, (Header, u64));

/// A segment says how long the one before it was when it ended.
fn check_neighbours(pair: &[Found]) -> Result<(), Damage> {
    let [(path, (header, bytes)), (next_path, (next, _))] = pair else { return Ok(()) };
    if next.previous_first != header.first || next.first <= header.first {
        return Err(Damage { file: next_path.clone(), offset: 0, what: "the segment before it is missing" });
    }
    if next.previous_bytes != *bytes {
        let offset = next.previous_bytes.min(*bytes);
        return Err(Damage { file: path.clone(), offset, what: "not as long as it was" });
    }
    Ok(())
}

/// Remembers the key of a record, if there is one and it counts.
fn remember(keys: &mut RecentKeys<u64>, record: &Record, now: Instant, now_ms: u64) {
    let age = Duration::from_millis(now_ms.saturating_sub(record.unix_ms));
    if let Some(key) = record.key.clone().filter(|_| age < KEY_WINDOW) {
        keys.insert_at(key, record.sequence, now.checked_sub(age).unwrap_or(now));
    }
}

struct Recovery {
    seal: Seal,
    step: u64,
    keys: RecentKeys<u64>,
    now_ms: u64,
}

/// What the end of a log says of what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It is there, as far as anybody can tell.
    Whole,
    /// What stood there last was not as it was written; that may have been acknowledged.
    Doubtful,
}

impl Recovery {
    /// A segment with another behind it: read now only if its keys still count.
    fn full(&mut self, (path, (header, bytes)): &Found, next: &Header) -> Result<Segment, OpenError> {
        let entries = next.first - header.first;
        let content = Content { entries, bytes: *bytes, last_ms: next.created_ms, index: None };
        if u128::from(self.now_ms.saturating_sub(content.last_ms)) >= KEY_WINDOW.as_millis() {
            return Ok(Segment::new(*header, path.clone(), content));
        }
        let Scan { content, flaw } = self.scan(path, header, *bytes)?;
        let what = match flaw {
            None if content.entries == entries => return Ok(Segment::new(*header, path.clone(), content)),
            Some(Flaw::Wrong(what)) => what,
            Some(_) => "a record that is cut",
            None => "entries are missing at its end",
        };
        Err(Damage { file: path.clone(), offset: content.bytes, what }.into())
    }

    /// The segment that was being written.
    fn last(&mut self, (path, (header, bytes)): &Found) -> Result<(Segment, Ending), OpenError> {
        let Scan { content, flaw } = self.scan(path, header, *bytes)?;
        let offset = content.bytes;
        let ending = match flaw {
            Some(Flaw::Wrong(what)) => {
                if self.was_synced(path, offset)? {
                    return Err(Damage { file: path.clone(), offset, what }.into());
                }
                Ending::Doubtful
            }
            None | Some(_) => Ending::Whole,
        };
        let synced = File::options().write(true).open(path).and_then(|file| {
            if offset < *bytes {
                let file_name = path.display();
                info!(file = %file_name, offset, bytes = *bytes - offset, "cut what was not written to its end");
                file.set_len(offset)?;
            }
            // Whoever had it open before may have left this to the system.
            file.sync_all()
        });
        synced.map_err(OpenError::io(path))?;
        Ok((Segment::new(*header, path.clone(), content), ending))
    }

    fn scan(&mut self, path: &Path, header: &Header, bytes: u64) -> Result<Scan, OpenError> {
        let (now, now_ms) = (Instant::now(), self.now_ms);
        let keys = &mut self.keys;
        let visit = |record: &Record| remember(keys, record, now, now_ms);
        scan(path, self.seal, (header.first, header.created_ms), bytes, self.step, visit)
            .map_err(OpenError::io(path))
    }

    /// Whether what stands at this place had been synced: a record behind it says so.
    ///
    /// Otherwise it was being written when the machine went down, and what of it arrives on disk is a matter of chance.
    fn was_synced(&self, path: &Path, offset: u64) -> Result<bool, OpenError> {
        let read = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).map(|_| rest)
        };
        let rest = read().map_err(OpenError::io(path))?;
        Ok(memmem::find_iter(&rest, &MARKER).any(|at| {
            let rest = &rest[at..];
            let record = Records::new(rest, self.seal, 0, rest.len() as u64).next();
            matches!(record, Ok(Some(record)) if u64::from(record.synced) > offset)
        }))
    }
}
