//! Damaged files.

use std::{
    error::Error,
    fs::{self, File},
    path::{Path, PathBuf},
};

use proptest::{prelude::*, sample::Index};
use sse_core::backplane::{Backplane, BackplaneError, Cursor, Position, ReadLimit};
use sse_file::SyncPolicy;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    support::{append, copy, directory, entries, open, segments},
    written::{Left, PAGE, Written, config, follow, written},
};

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn last(dir: &TempDir) -> PathBuf {
    segments(dir.path()).pop().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

/// A change of the bytes of a file.
type Change = Box<dyn Fn(&mut Vec<u8>)>;

/// Returns the possible kinds of damage to a file.
fn changes(length: usize) -> Vec<(String, Change)> {
    let mut changes: Vec<(String, Change)> = vec![
        ("empty".to_owned(), Box::new(Vec::clear)),
        ("all zeros".to_owned(), Box::new(|bytes| bytes.fill(0))),
        (
            "something else".to_owned(),
            Box::new(|bytes| *bytes = b"something else\n".repeat(40)),
        ),
        (
            "bytes after its end".to_owned(),
            Box::new(|bytes| bytes.extend([7; 100])),
        ),
        (
            "zeros after its end".to_owned(),
            Box::new(|bytes| bytes.extend([0; 100])),
        ),
    ];
    // Each field of the header and of the first record; then some of the remaining bytes.
    for at in (0..44 + 16 + 21)
        .step_by(4)
        .chain((80..length).step_by(23))
        .filter(|at| *at < length)
    {
        changes.push((
            format!("a flip at byte {at}"),
            Box::new(move |bytes| bytes[at] ^= 0x10),
        ));
    }
    for at in [1, 20, 43, 44, 45, 60, length / 2, length - 1]
        .into_iter()
        .filter(|at| *at < length)
    {
        changes.push((
            format!("cut at byte {at}"),
            Box::new(move |bytes| bytes.truncate(at)),
        ));
        changes.push((
            format!("zeros from byte {at} on"),
            Box::new(move |bytes| bytes[at..].fill(0)),
        ));
    }
    changes
}

#[test]
fn any_change_of_file_is_rejected_or_reported() {
    block_on(async {
        for left in [Left::Closed, Left::Killed] {
            let written = written(left).await;
            let mut files = segments(written.dir.path());
            files.push(written.dir.path().join("META"));
            for file in &files {
                let length = fs::read(file).unwrap().len();
                let name = file.file_name().unwrap();
                for (what, damage) in changes(length) {
                    let dir = written.copy();
                    change(&dir.path().join(name), damage);
                    let context = format!("{}: {what}", name.display());
                    let was_opened = written.check(dir.path(), &context).await;
                    // Without META the other files cannot be identified.
                    assert_eq!(was_opened, name != "META", "{context}");
                }
            }
        }
    });
}

#[test]
fn missing_or_foreign_file_is_rejected_or_reported() {
    type Act = fn(&Path, &Path);
    let put = |dir: &Path, name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).unwrap();
    block_on(async {
        let other = written(Left::Closed).await;
        for left in [Left::Closed, Left::Killed] {
            let written = written(left).await;
            let names = [
                "00000000000000000001.log",
                "00000000000000000007.log",
                "00000000000000000013.log",
                "00000000000000000019.log",
            ];
            for name in names {
                let acts: [(&str, bool, Act); 4] = [
                    ("missing", true, |file, _| fs::remove_file(file).unwrap()),
                    ("that of another log", true, |file, other| {
                        fs::copy(other, file).unwrap();
                    }),
                    ("there twice", true, |file, _| {
                        fs::copy(file, file.with_file_name("00000000000000000010.log")).unwrap();
                    }),
                    ("a directory", false, |file, _| {
                        fs::remove_file(file).unwrap();
                        fs::create_dir(file).unwrap();
                    }),
                ];
                for (what, is_opened, act) in acts {
                    let dir = written.copy();
                    act(&dir.path().join(name), &other.dir.path().join(name));
                    let context = format!("{name} is {what}");
                    assert_eq!(
                        written.check(dir.path(), &context).await,
                        is_opened,
                        "{context}"
                    );
                }
            }
            for (name, bytes) in [
                ("00000000000000000500.log", &b"no segment"[..]),
                ("00000000000000000500.log", b""),
                ("99999999999999999999.log", b"no number"),
                ("notes.log", b"no segment"),
                ("00000000000000000022.tmp", b"SSEF"),
            ] {
                let dir = written.copy();
                put(dir.path(), name, bytes);
                assert!(written.check(dir.path(), name).await, "{name}");
            }
            let dir = written.copy();
            fs::remove_file(dir.path().join("META")).unwrap();
            assert!(!written.check(dir.path(), "META is missing").await);
        }
    });
}

#[test]
fn any_bit_flips_are_rejected_or_reported() {
    let written = block_on(written(Left::Killed));
    let files = segments(written.dir.path());
    proptest!(ProptestConfig::with_cases(100), |(flips in prop::collection::vec((0..files.len(), any::<Index>(), 0..8), 1..6))| {
        block_on(async {
            let dir = written.copy();
            for (file, at, bit) in flips {
                change(&dir.path().join(files[file].file_name().unwrap()), |bytes| {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1u8 << bit;
                });
            }
            assert!(written.check(dir.path(), "flips").await);
        });
    });
}

/// All entries that were acknowledged before the remaining end are returned. The rest is a gap,
/// although the file does not show that anything is missing.
#[test]
fn lost_end_is_reported_at_any_cut() {
    let both = [Left::Closed, Left::Killed].map(|left| block_on(written(left)));
    let whole = fs::read(last(&both[0].dir)).unwrap().len();
    proptest!(ProptestConfig::with_cases(100), |(at in 0..whole, left in 0..2_usize)| {
        let written = &both[left];
        block_on(async {
            let dir = written.copy();
            change(&last(&dir), |bytes| bytes.truncate(at));
            assert!(written.check(dir.path(), &format!("cut at {at}")).await);
            let log = open(dir.path(), config()).await;
            let came = follow(&log, written.cursor(Position::ZERO)).await;
            prop_assert!(came.entries.len() >= 19 && came.gaps.len() == 1, "{} entries", came.entries.len());
            log.close().await;
            Ok(())
        })?;
    });
}

/// A killed log has every acknowledged entry, and continues in its epoch without a gap.
#[tokio::test]
async fn torn_write_causes_no_gap() {
    let written = written(Left::Killed).await;
    for torn in [0, 1, 15, 16, 40] {
        let dir = written.copy();
        let record = fs::read(last(&dir)).unwrap()[44..].to_vec();
        change(&last(&dir), |bytes| bytes.extend(&record[..torn]));
        let log = open(dir.path(), config()).await;
        let came = follow(&log, written.cursor(Position::ZERO)).await;
        assert_eq!(
            (came.entries, came.gaps),
            (written.entries.clone(), vec![]),
            "{torn} bytes of the next record"
        );
        log.close().await;
    }
}

/// A directory is restored from an older copy.
#[tokio::test]
async fn older_copy_reuses_no_position() {
    let dir = directory();
    let log = open(dir.path(), config()).await;
    for number in 0..10 {
        append(&log, number.to_string()).await;
    }
    for left in [Left::Closed, Left::Killed] {
        let (older, log) = (
            directory(),
            if left == Left::Closed {
                log.clone()
            } else {
                open(dir.path(), config()).await
            },
        );
        if left == Left::Closed {
            log.close().await;
            copy(dir.path(), older.path());
        } else {
            append(&log, "in both").await;
            copy(dir.path(), older.path());
            log.close().await;
        }
        let lost = open(dir.path(), config()).await;
        let mut given = Vec::new();
        for number in 0..20 {
            given.push(append(&lost, format!("lost {number}")).await);
        }
        lost.close().await;
        let log = open(older.path(), config()).await;
        for had in &given {
            assert!(matches!(
                log.read(had, PAGE).await,
                Err(BackplaneError::Future { .. } | BackplaneError::Damaged { .. })
            ));
        }
        for number in 0..40 {
            let now = append(&log, format!("new {number}")).await;
            assert!(!given.contains(&now), "{now} was assigned twice");
            for had in &given {
                // The cursor is ahead of the log or in a lost part of it, and never at an entry.
                let came = follow(&log, had.clone()).await;
                assert_eq!(
                    came.gaps.len(),
                    1,
                    "{had} was accepted as a position of this log"
                );
            }
        }
        log.close().await;
    }
}

#[tokio::test]
async fn flip_in_open_log_is_reported_to_readers() {
    let Written {
        dir,
        bounds,
        entries,
        ..
    } = written(Left::Closed).await;
    let log = open(dir.path(), config()).await;
    let second = segments(dir.path())[1].clone();
    change(&second, |bytes| bytes[44 + 20] ^= 1);
    let read = async |at: usize| {
        let position = at
            .checked_sub(1)
            .map_or(Position::ZERO, |at| entries[at].position);
        log.read(
            &Cursor::new(bounds.epoch.clone(), position),
            ReadLimit {
                entries: 100,
                bytes: 1000,
            },
        )
        .await
    };
    let error = read(6).await.unwrap_err();
    let source = error.source().unwrap();
    assert!(
        matches!(&error, BackplaneError::Damaged { to, .. } if *to == entries[6].position),
        "{error:?}"
    );
    assert!(
        source.to_string().contains("is damaged at byte 44"),
        "{source}"
    );
    assert_eq!(
        read(0).await.unwrap().entries,
        entries[..6],
        "the page does not end before the damage"
    );
    assert_eq!(
        read(7).await.unwrap().entries,
        entries[7..21.min(7 + read(7).await.unwrap().entries.len())]
    );
    assert_eq!(read(12).await.unwrap().entries[..3], entries[12..15]);
    let mut tail = log
        .tail(&Cursor::new(bounds.epoch.clone(), Position::ZERO))
        .await
        .unwrap();
    assert_eq!(tail.next().await.unwrap().entries, entries[..6]);
    assert!(
        matches!(tail.next().await, Err(BackplaneError::Damaged { to, .. }) if to == entries[6].position)
    );
    log.close().await;
}

/// Damage while the log is open.
#[tokio::test]
async fn damaged_segment_leaves_others_readable() {
    type Act = fn(&Path);
    let acts: [(&str, Act); 5] = [
        ("taken away", |file| fs::remove_file(file).unwrap()),
        ("emptied", |file| drop(File::create(file).unwrap())),
        ("cut", |file| {
            File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(100)
                .unwrap();
        }),
        ("made a directory", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
        ("overwritten", |file| change(file, |bytes| bytes.fill(7))),
    ];
    for (what, act) in acts {
        for number in 0..3 {
            let written = written(Left::Closed).await;
            let log = open(written.dir.path(), config()).await;
            act(&segments(written.dir.path())[number]);
            let came = follow(&log, written.cursor(Position::ZERO)).await;
            assert_eq!(
                came.gaps.len(),
                1,
                "segment {number} is {what}: {:?}",
                came.gaps
            );
            assert!(
                came.entries.len() >= 15,
                "segment {number} is {what}: {} entries",
                came.entries.len()
            );
            written.check_open(&log, what).await;
            let next = append(&log, "next").await;
            assert_eq!(
                next.position.minor(),
                22,
                "new entries have wrong positions"
            );
            log.close().await;
        }
    }
}

#[tokio::test]
async fn unfinished_files_are_removed() {
    let written = written(Left::Killed).await;
    let unfinished = written.dir.path().join("00000000000000000022.tmp");
    fs::write(&unfinished, "SSEF").unwrap();
    let log = open(written.dir.path(), config()).await;
    assert_eq!(entries(&log).await, written.entries);
    assert!(!unfinished.exists());
    log.close().await;
}

#[tokio::test]
async fn log_without_segments_changes_epoch() {
    let Written { dir, bounds, .. } = written(Left::Closed).await;
    segments(dir.path())
        .into_iter()
        .for_each(|file| fs::remove_file(file).unwrap());
    let log = open(dir.path(), config()).await;
    let now = log.bounds().await.unwrap();
    assert_ne!(now.epoch, bounds.epoch);
    assert_eq!((now.trimmed, now.head), (Position::ZERO, Position::ZERO));
    log.close().await;
}

/// Simulates a restart of the machine.
fn restart_machine(dir: &TempDir) {
    let file = dir.path().join("META");
    change(&file, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (content, _) = text.rsplit_once("crc ").unwrap();
        let lines = content.lines().map(|line| {
            if line.starts_with("boot") {
                "boot another"
            } else {
                line
            }
        });
        let content: String = lines.flat_map(|line| [line, "\n"]).collect();
        *bytes = format!("{content}crc {:08x}\n", crc32c::crc32c(content.as_bytes())).into_bytes();
    });
}

#[tokio::test]
async fn machine_crash_causes_gap_in_unsynced_log() {
    for (sync, is_closed, is_whole) in [
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
        let came = follow(&log, Cursor::new(cursor.epoch.clone(), Position::ZERO)).await;
        assert_eq!(
            came.gaps.is_empty(),
            is_whole,
            "{sync:?}, closed: {is_closed}"
        );
        assert_eq!(came.entries[0].payload, "entry");
        // Clients that had every known entry also get a gap.
        let bounds = log.bounds().await.unwrap();
        assert_eq!(
            bounds.head == cursor.position,
            is_whole,
            "{sync:?}, closed: {is_closed}"
        );
        log.close().await;
    }
}
