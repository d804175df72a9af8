//! After any change of a log's files, opening the log fails or its entries are those that were
//! written.
//!
//! An input names a log and changes of its files. A change can also recompute checksums, as no
//! failing disk does. In that case nothing is known of the entries, but the log must still be
//! readable. Otherwise a missing entry is reported, and its position is never assigned to another
//! entry.

use std::{collections::BTreeMap, fs, ops::RangeInclusive, path::Path, sync::LazyLock};

use arbitrary::Arbitrary;
use bytes::Bytes;
use sse_core::{
    Retention,
    backplane::{
        Backplane, BackplaneError, Cursor, Entry, EntryKey, Epoch, NewEntry, Position, ReadLimit,
    },
};
use sse_file::{FileBackplane, FileConfig};
use tempfile::TempDir;

/// File contents by name.
type FileContents = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Arbitrary)]
struct LogDamage {
    log: Which,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Which {
    /// A log that was closed.
    Closed,
    /// A log whose process was killed.
    Killed,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Flip {
        file: u8,
        at: u16,
        bit: u8,
    },
    Write {
        file: u8,
        at: u16,
        bytes: [u8; 4],
    },
    Insert {
        file: u8,
        at: u16,
        byte: u8,
        count: u16,
    },
    Remove {
        file: u8,
        at: u16,
        count: u16,
    },
    Cut {
        file: u8,
        at: u16,
    },
    /// A write that went astray.
    Copy {
        from: u8,
        at: u16,
        count: u16,
        to: u8,
        place: u16,
    },
    Delete {
        file: u8,
    },
    Rename {
        file: u8,
        first: u64,
    },
    Double {
        file: u8,
        first: u64,
    },
    /// Recomputes the checksums of a segment.
    Seal {
        file: u8,
    },
}

/// Maximum number of changes of an input.
const CHANGES: usize = 16;

/// Length beyond which no single change extends a file.
const LONGEST: usize = 64 << 10;

const LIMIT: ReadLimit = ReadLimit {
    entries: 7,
    bytes: 1 << 20,
};

/// A log as it was written.
struct WrittenLog {
    files: FileContents,
    epoch: Epoch,
    entries: Vec<Entry>,
}

/// The part of an opened log that must equal what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Nothing: checksums were recomputed.
    Nothing,
    /// Entries only: the file with the end of the log was changed.
    Entries,
    /// Entries, and the reports of losses.
    Losses,
}

static CLOSED: LazyLock<WrittenLog> = LazyLock::new(|| WrittenLog::new(Which::Closed));
static KILLED: LazyLock<WrittenLog> = LazyLock::new(|| WrittenLog::new(Which::Killed));

pub(crate) fn play(input: &[u8]) {
    let Some(LogDamage { log, changes }) = super::value(input) else {
        return;
    };
    let written = if log == Which::Closed {
        &CLOSED
    } else {
        &KILLED
    };
    let mut files = written.files.clone();
    for change in changes.iter().take(CHANGES) {
        change.apply(&mut files);
    }
    let is_forged = changes
        .iter()
        .take(CHANGES)
        .any(|change| matches!(change, Change::Seal { .. }));
    let trust = match files.get("END") == written.files.get("END") {
        _ if is_forged => Trust::Nothing,
        true => Trust::Losses,
        false => Trust::Entries,
    };
    let directory = directory();
    write(directory.path(), &files);
    super::run(async {
        // The error reports why the log cannot be opened.
        let Ok(log) = FileBackplane::open(directory.path(), config()).await else {
            return;
        };
        judge(&log, written, trust).await;
        log.close().await;
    });
}

async fn judge(log: &FileBackplane, written: &WrittenLog, trust: Trust) {
    let bounds = log.bounds().await.expect("an open log has bounds");
    assert!(bounds.trimmed <= bounds.head);
    let mut after = Cursor::new(bounds.epoch.clone(), bounds.trimmed);
    let (mut entries, mut missing) = (Vec::new(), vec![Position::ZERO..=bounds.trimmed]);
    while after.position < bounds.head {
        let Some(part) = read(log, &after).await else {
            break;
        };
        let end = match part {
            ReadPart::Entries(part) => {
                assert!(!part.is_empty(), "a page before the head has entries");
                entries.extend(part);
                entries[entries.len() - 1].position
            }
            ReadPart::Missing(part) => {
                let end = *part.end();
                missing.push(part);
                end
            }
        };
        assert!(end > after.position, "reading does not advance");
        after.position = end;
    }
    if trust != Trust::Nothing {
        for entry in &entries {
            let original = written
                .entries
                .iter()
                .find(|it| it.position == entry.position);
            assert_eq!(
                original.map(|it| &it.payload),
                Some(&entry.payload),
                "{:?}",
                entry.position
            );
        }
    }
    if trust == Trust::Losses && bounds.epoch == written.epoch {
        for Entry { position, .. } in &written.entries {
            let is_there = entries.iter().any(|it| it.position == *position);
            let is_reported = missing.iter().any(|part| part.contains(position));
            assert!(
                is_there || is_reported,
                "{position:?} is missing without a report: {missing:?}"
            );
        }
    }
    // A log whose last position is the maximum has no room.
    let Ok(appended) = log
        .append(NewEntry {
            payload: Bytes::from_static(b"new"),
            key: None,
        })
        .await
    else {
        assert_eq!(trust, Trust::Nothing, "an open log takes entries");
        return;
    };
    assert!(appended.cursor.position > bounds.head);
    if trust != Trust::Nothing && appended.cursor.epoch == written.epoch {
        let is_taken = |it: &Entry| it.position == appended.cursor.position;
        assert!(
            !written.entries.iter().any(is_taken),
            "{:?} is assigned twice",
            appended.cursor
        );
    }
    let page = read(log, &Cursor::new(bounds.epoch, bounds.head))
        .await
        .expect("a new entry is read");
    let ReadPart::Entries(page) = page else {
        panic!("a new entry is damaged")
    };
    assert_eq!(
        page.iter()
            .map(|entry| &entry.payload[..])
            .collect::<Vec<_>>(),
        [b"new"]
    );
}

/// The result of a read after a cursor.
enum ReadPart {
    Entries(Vec<Entry>),
    /// Positions whose entries the log reports as missing.
    Missing(RangeInclusive<Position>),
}

/// Reads a page; `None` at the end.
async fn read(log: &FileBackplane, after: &Cursor) -> Option<ReadPart> {
    match log.read(after, LIMIT).await {
        Ok(page) => {
            (!page.entries.is_empty() || !page.at_head).then_some(ReadPart::Entries(page.entries))
        }
        Err(BackplaneError::Damaged { to, .. } | BackplaneError::Trimmed { trimmed: to }) => {
            Some(ReadPart::Missing(after.position..=to))
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Returns a configuration with six entries in a segment, all of them read from the files.
fn config() -> FileConfig {
    FileConfig::default()
        .retention(Retention::default().entries(48))
        .recent_bytes(0)
}

/// Returns a directory in memory if possible, since a sync takes no time there.
fn directory() -> TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}

impl WrittenLog {
    fn new(which: Which) -> Self {
        let directory = directory();
        // On a separate runtime, because the caller may run in one.
        let write = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(Self::write(which, directory.path()))
        };
        let written =
            std::thread::scope(|scope| scope.spawn(write).join()).expect("a log is written");
        let mut sealed = written.files.clone();
        (0..u8::MAX).for_each(|file| seal(&mut sealed, file));
        assert_eq!(
            sealed, written.files,
            "checksums are made as the log makes them"
        );
        written
    }

    async fn write(which: Which, directory: &Path) -> Self {
        let log = FileBackplane::open(directory, config())
            .await
            .expect("a new log");
        let (mut entries, epoch) = (
            Vec::new(),
            log.bounds().await.expect("an open log has bounds").epoch,
        );
        for number in 0..21_usize {
            let key = (number % 2 == 0)
                .then(|| EntryKey::try_from(&*format!("key {number}")).expect("a short key"));
            let payload = Bytes::from("x".repeat(number * 29 % 80));
            let appended = log
                .append(NewEntry {
                    payload: payload.clone(),
                    key,
                })
                .await
                .expect("room");
            entries.push(Entry {
                position: appended.cursor.position,
                payload,
            });
        }
        if which == Which::Closed {
            log.close().await;
        }
        let files = files(directory);
        Self {
            files,
            epoch,
            entries,
        }
    }
}

fn files(directory: &Path) -> FileContents {
    let entries = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry"));
    let named = entries.map(|entry| {
        let bytes = fs::read(entry.path()).expect("a file");
        (
            entry.file_name().into_string().expect("a name in UTF-8"),
            bytes,
        )
    });
    named.collect()
}

fn write(directory: &Path, files: &FileContents) {
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).expect("a file is written");
    }
}

impl Change {
    fn apply(&self, files: &mut FileContents) {
        match *self {
            Self::Flip { file, at, bit } => {
                if let Some(byte) =
                    bytes(files, file).and_then(|bytes| bytes.get_mut(usize::from(at)))
                {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Write {
                file,
                at,
                bytes: written,
            } => put(files, file, at, &written),
            Self::Insert {
                file,
                at,
                byte,
                count,
            } => {
                let Some(bytes) = bytes(files, file).filter(|bytes| bytes.len() < LONGEST) else {
                    return;
                };
                let at = usize::from(at).min(bytes.len());
                bytes.splice(at..at, std::iter::repeat_n(byte, count.into()));
            }
            Self::Remove { file, at, count } => {
                let Some(bytes) = bytes(files, file) else {
                    return;
                };
                let range = range(bytes, at, count);
                bytes.drain(range);
            }
            Self::Cut { file, at } => {
                bytes(files, file)
                    .into_iter()
                    .for_each(|bytes| bytes.truncate(at.into()));
            }
            Self::Copy {
                from,
                at,
                count,
                to,
                place,
            } => {
                let Some(source) = bytes(files, from) else {
                    return;
                };
                let copied = source[range(source, at, count)].to_vec();
                put(files, to, place, &copied);
            }
            Self::Delete { file } => drop(name(files, file).and_then(|name| files.remove(&name))),
            Self::Rename { file, first } => {
                if let Some(bytes) = name(files, file).and_then(|name| files.remove(&name)) {
                    files.insert(segment(first), bytes);
                }
            }
            Self::Double { file, first } => {
                if let Some(bytes) = bytes(files, file).cloned() {
                    files.insert(segment(first), bytes);
                }
            }
            Self::Seal { file } => seal(files, file),
        }
    }
}

fn segment(first: u64) -> String {
    format!("{first:020}.log")
}

fn name(files: &FileContents, file: u8) -> Option<String> {
    files
        .keys()
        .nth(usize::from(file) % files.len().max(1))
        .cloned()
}

fn bytes(files: &mut FileContents, file: u8) -> Option<&mut Vec<u8>> {
    let name = name(files, file)?;
    files.get_mut(&name)
}

fn range(bytes: &[u8], at: u16, count: u16) -> std::ops::Range<usize> {
    let start = usize::from(at).min(bytes.len());
    start..bytes.len().min(start + usize::from(count))
}

fn put(files: &mut FileContents, file: u8, at: u16, written: &[u8]) {
    let Some(bytes) = bytes(files, file) else {
        return;
    };
    let at = usize::from(at).min(bytes.len());
    let end = bytes.len().min(at + written.len());
    bytes[at..end].copy_from_slice(&written[..end - at]);
}

/// Length in bytes of a segment's header, see `segment_header.rs` of `sse-file`.
const HEADER: usize = 44;
/// Length in bytes of a record's head, see `record.rs` of `sse-file`.
const RECORD_HEAD: usize = 16;

/// Recomputes the checksums of a segment: of its header, and of each record up to the first record
/// whose head is incomplete.
fn seal(files: &mut FileContents, file: u8) {
    let Some(name) = name(files, file).filter(|name| name.ends_with(".log")) else {
        return;
    };
    let Some(seal) = files.get("META").and_then(|meta| seal_of(meta)) else {
        return;
    };
    let Some(bytes) = files.get_mut(&name).filter(|bytes| bytes.len() >= HEADER) else {
        return;
    };
    let checksum = |bytes: &[u8]| {
        crc32c::crc32c_append(crc32c::crc32c(&seal.to_le_bytes()), bytes).to_le_bytes()
    };
    let of_header = checksum(&bytes[..HEADER - 4]);
    bytes[HEADER - 4..HEADER].copy_from_slice(&of_header);
    let mut rest = &mut bytes[HEADER..];
    while let Some((head, following)) = rest.split_at_mut_checked(RECORD_HEAD) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let end = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(following.len());
        let (body, following) = following.split_at_mut(end);
        head[8..12].copy_from_slice(&checksum(body));
        let of_head = checksum(&head[..12]);
        head[12..].copy_from_slice(&of_head);
        rest = following;
    }
}

/// Returns the number that checksums of a log begin with.
fn seal_of(meta: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(meta).ok()?;
    let digits = text.lines().find_map(|line| line.strip_prefix("log "))?;
    u64::from_str_radix(digits, 16).ok()
}
