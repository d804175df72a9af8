//! What is on disk is not what was written there.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use proptest::{prelude::*, sample::Index};
use sse_core::{Backplane, BackplaneError, Bounds, Cursor, Entry, NewEntry, Position, ReadLimit, Retention};
use sse_file::{Damage, FileBackplane, FileConfig, OpenError, SyncPolicy};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{append, beginning, copy, directory, entries, open, segments, texts};

/// Six entries in a segment.
fn config() -> FileConfig {
    FileConfig::default().retention(Retention::default().entries(48)).recent_bytes(0)
}

/// A log of four segments, the last with three entries.
struct Written {
    dir: TempDir,
    bounds: Bounds,
    entries: Vec<Entry>,
}

async fn written() -> Written {
    let dir = directory();
    let log = open(dir.path(), config()).await;
    for number in 0..21_usize {
        let key = (number % 2 == 0).then(|| format!("key {number}").as_str().try_into().unwrap());
        let payload = "x".repeat(number * 29 % 80).into();
        log.append(NewEntry { payload, key }).await.unwrap();
    }
    let (bounds, entries) = (log.bounds().await.unwrap(), entries(&log).await);
    log.close().await;
    assert_eq!((segments(dir.path()).len(), entries.len()), (4, 21));
    Written { dir, bounds, entries }
}

impl Written {
    fn copy(&self) -> TempDir {
        let dir = directory();
        copy(self.dir.path(), dir.path());
        dir
    }
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn last(dir: &TempDir) -> PathBuf {
    segments(dir.path()).pop().unwrap()
}

async fn damage(dir: &TempDir) -> Damage {
    match FileBackplane::open(dir.path(), config()).await {
        Err(OpenError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

#[test]
fn a_log_that_was_cut_at_any_byte_has_what_was_before() {
    let written = block_on(written());
    let whole = fs::read(last(&written.dir)).unwrap().len();
    // Its header was synced before anything was written behind it, so no crash cuts it.
    let header = 44;
    proptest!(ProptestConfig::with_cases(60), |(at: Index)| {
        let at = header + at.index(whole - header);
        block_on(async {
            let dir = written.copy();
            change(&last(&dir), |bytes| bytes.truncate(at));
            let log = open(dir.path(), config()).await;
            let held = entries(&log).await;
            assert!((18..21).contains(&held.len()), "{} entries", held.len());
            assert_eq!(held, written.entries[..held.len()]);
            let next = append(&log, "goes on").await;
            assert_eq!(next, Cursor::new(written.bounds.epoch.clone(), (held.len() as u64 + 1).into()));
            log.close().await;
            let log = open(dir.path(), config()).await;
            assert_eq!(entries(&log).await.len(), held.len() + 1);
            log.close().await;
        });
    });
}

/// Reads entry by entry what can be read.
async fn readable(log: &FileBackplane, written: &Written) -> usize {
    let mut after = beginning(log).await;
    for (at, entry) in written.entries.iter().enumerate() {
        let page = log.read(&after, ReadLimit { entries: 1, bytes: 1 }).await.unwrap();
        match page.entries.first() {
            Some(read) => assert_eq!(read, entry, "a wrong entry"),
            None => return at,
        }
        after.position = entry.position;
    }
    written.entries.len()
}

#[test]
fn a_flip_of_any_bit_is_told() {
    let written = block_on(written());
    let mut files = segments(written.dir.path());
    files.push(written.dir.path().join("META"));
    proptest!(ProptestConfig::with_cases(150), |(file in 0..files.len(), at: Index, bit in 0..8)| {
        block_on(async {
            let dir = written.copy();
            let file = dir.path().join(files[file].file_name().unwrap());
            change(&file, |bytes| {
                let at = at.index(bytes.len());
                bytes[at] ^= 1u8 << bit;
            });
            match FileBackplane::open(dir.path(), config()).await {
                Err(OpenError::Damaged(damage)) => assert_eq!(damage.file, file),
                Err(error) => panic!("{error:?}"),
                Ok(log) => {
                    // The last batch: it may have been torn, or it was acknowledged and is not what it was.
                    assert_eq!(file, last(&dir), "a flip that nobody noticed");
                    assert!(readable(&log, &written).await < 21, "a flip that nobody noticed");
                    assert_ne!(log.bounds().await.unwrap().epoch, written.bounds.epoch);
                    log.close().await;
                }
            }
        });
    });
}

#[tokio::test]
async fn a_flip_before_something_that_was_synced_later_is_damage_and_no_torn_end() {
    let written = written().await;
    // The first of three entries in the last segment, each of which was acknowledged before the next.
    change(&last(&written.dir), |bytes| bytes[44 + 20] ^= 1);
    let damage = damage(&written.dir).await;
    assert_eq!((damage.file, damage.offset), (last(&written.dir), 44));
}

#[tokio::test]
async fn a_flip_in_a_log_that_is_open_is_told_to_those_who_read_there() {
    let Written { dir, bounds, entries } = written().await;
    let log = open(dir.path(), config()).await;
    let second = segments(dir.path())[1].clone();
    change(&second, |bytes| bytes[44 + 20] ^= 1);
    let read = async |position: u64| {
        log.read(&Cursor::new(bounds.epoch.clone(), position.into()), ReadLimit { entries: 100, bytes: 1000 })
            .await
    };
    let error = read(6).await.unwrap_err();
    let source = error.source().unwrap().downcast_ref::<Damage>();
    assert!(
        matches!(&error, BackplaneError::Refused { reason, .. } if reason.contains("damaged at byte 44")),
        "{error}"
    );
    assert_eq!(source.map(|damage| (&damage.file, damage.offset)), Some((&second, 44)));
    assert!(read(0).await.is_err(), "a page must not end before damage as if that were nothing");
    assert_eq!(read(12).await.unwrap().entries, entries[12..]);
    log.close().await;
}

#[tokio::test]
async fn files_that_are_missing_or_cut_are_told() {
    let written = written().await;
    for (gone, blamed) in [("META", "META"), ("00000000000000000007.log", "00000000000000000013.log")] {
        let dir = written.copy();
        fs::remove_file(dir.path().join(gone)).unwrap();
        assert_eq!(damage(&dir).await.file, dir.path().join(blamed));
    }
    for cut in [10, 50] {
        let dir = written.copy();
        let second = segments(dir.path())[1].clone();
        change(&second, |bytes| bytes.truncate(cut));
        assert_eq!(damage(&dir).await.file, second, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_segment_of_another_log_is_told() {
    let (written, other) = (written().await, written().await);
    fs::copy(last(&other.dir), last(&written.dir)).unwrap();
    assert_eq!(damage(&written.dir).await.file, last(&written.dir));
}

#[tokio::test]
async fn what_was_begun_and_not_finished_is_taken_away() {
    let written = written().await;
    let unfinished = written.dir.path().join("00000000000000000022.tmp");
    fs::write(&unfinished, "SSEF").unwrap();
    let log = open(written.dir.path(), config()).await;
    assert_eq!(entries(&log).await, written.entries);
    assert!(!unfinished.exists());
    log.close().await;
}

#[tokio::test]
async fn a_log_without_its_entries_is_another_one() {
    let Written { dir, bounds, .. } = written().await;
    segments(dir.path()).into_iter().for_each(|file| fs::remove_file(file).unwrap());
    let log = open(dir.path(), config()).await;
    let now = log.bounds().await.unwrap();
    assert_ne!(now.epoch, bounds.epoch);
    assert_eq!((now.trimmed, now.head), (Position::ZERO, Position::ZERO));
    log.close().await;
}

/// As if the machine had been started again since.
fn restart_machine(dir: &TempDir) {
    let file = dir.path().join("META");
    change(&file, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (content, _) = text.rsplit_once("crc ").unwrap();
        let lines = content.lines().map(|line| if line.starts_with("boot") { "boot another" } else { line });
        let content: String = lines.flat_map(|line| [line, "\n"]).collect();
        *bytes = format!("{content}crc {:08x}\n", crc32c::crc32c(content.as_bytes())).into_bytes();
    });
}

#[tokio::test]
async fn after_a_crash_of_the_machine_a_log_that_was_not_synced_is_another_one() {
    for (sync, is_closed, is_same) in [
        (SyncPolicy::Never, false, false),
        (SyncPolicy::Never, true, true),
        (SyncPolicy::EveryBatch, false, true),
    ] {
        let (dir, left) = (directory(), directory());
        let log = open(dir.path(), config().sync(sync)).await;
        let cursor = append(&log, "entry").await;
        copy(dir.path(), left.path());
        log.close().await;
        let left = if is_closed { dir } else { left };
        restart_machine(&left);
        let log = open(left.path(), config().sync(sync)).await;
        assert_eq!(
            log.bounds().await.unwrap().epoch == cursor.epoch,
            is_same,
            "{sync:?}, closed: {is_closed}"
        );
        assert_eq!(texts(&log).await, ["entry"]);
        log.close().await;
    }
}
