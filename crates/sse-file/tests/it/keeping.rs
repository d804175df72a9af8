//! Retention, and rejected appends.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use sse_core::{
    Retention, UserId,
    access::KeyScope,
    backplane::{Backplane, BackplaneError, Cursor, EntryKey, NewEntry, ReadLimit},
    config::KeyLimits,
};
use sse_file::{FileBackplane, FileConfig, OpenError, SyncPolicy};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::support::{append, beginning, copy, directory, entries, entry, open, segments, texts};

const TIMEOUT: Duration = Duration::from_secs(60);

fn bytes_on_disk(dir: &Path) -> u64 {
    segments(dir)
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|file| file.len())
        .sum()
}

#[tokio::test]
async fn disk_usage_stays_within_retention() {
    const MOST: u64 = 64 << 10;
    let dir = directory();
    let log = open(
        dir.path(),
        FileConfig::default().retention(Retention::default().bytes(MOST)),
    )
    .await;
    for number in 0..600 {
        append(&log, format!("{number:0>400}")).await;
        // A new entry may be acknowledged a moment before the oldest is removed: one entry more.
        let bytes = bytes_on_disk(dir.path());
        assert!(bytes <= MOST + 500, "{bytes} bytes after {number} entries");
    }
    let held = entries(&log).await;
    assert!(
        held.len() as u64 * 430 > MOST * 3 / 4,
        "the log holds only {} entries",
        held.len()
    );
    log.close().await;
    let log = open(
        dir.path(),
        FileConfig::default().retention(Retention::default().bytes(MOST / 4)),
    )
    .await;
    assert!(
        bytes_on_disk(dir.path()) <= MOST / 4,
        "the smaller limit is not applied at the start"
    );
    let fewer = entries(&log).await;
    assert!(!fewer.is_empty() && fewer.len() < held.len() / 2);
    assert_eq!(fewer.last(), held.last());
    log.close().await;
}

/// Returns a configuration with two entries per segment, 18 in all.
fn small() -> FileConfig {
    FileConfig::default().retention(Retention::default().entries(16))
}

#[tokio::test]
async fn keys_of_trimmed_entries_outlive_restart() {
    let mut dir = directory();
    let mut log = open(dir.path(), small()).await;
    let limits = KeyLimits::default().per_user(40);
    let scopes = [KeyScope::App, KeyScope::User(UserId::new("ada").unwrap())];
    let keyed = |scope: &KeyScope, key: usize| NewEntry {
        key: Some(EntryKey::new(scope, &key.to_string(), limits).unwrap()),
        ..entry("keyed")
    };
    let mut cursors = Vec::new();
    for key in 0..40 {
        for scope in &scopes {
            cursors.push(log.append(keyed(scope, key)).await.unwrap().cursor);
        }
    }
    // The log is killed, closed, and killed once more after all entries were removed.
    for flood in [0, 5, 50] {
        for _ in 0..flood {
            append(&log, "without a key").await;
        }
        let left = directory();
        copy(dir.path(), left.path());
        log.close().await;
        if flood != 5 {
            dir = left;
        }
        log = open(dir.path(), small()).await;
        let mut known = cursors.iter();
        for key in 0..40 {
            for scope in &scopes {
                let again = log.append(keyed(scope, key)).await.unwrap();
                assert!(again.duplicate, "{key} of {scope:?} was appended again");
                assert_eq!(known.next(), Some(&again.cursor));
            }
        }
        let beyond = log.append(keyed(&scopes[1], 40)).await;
        assert!(
            matches!(beyond, Err(BackplaneError::KeysFull(_))),
            "{beyond:?}"
        );
    }
    assert!(
        entries(&log)
            .await
            .iter()
            .all(|entry| entry.payload == "without a key")
    );
    log.close().await;
}

#[tokio::test]
async fn old_entries_expire_without_appends() {
    let dir = directory();
    let config = FileConfig::default().retention(Retention::default().age(Duration::from_secs(1)));
    let log = open(dir.path(), config.clone()).await;
    let last = append(&log, "old").await;
    timeout(TIMEOUT, async {
        while log.bounds().await.unwrap().trimmed < last.position {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let gone = log
        .read(
            &beginning(&log).await,
            ReadLimit {
                entries: 1,
                bytes: 1,
            },
        )
        .await;
    assert!(matches!(gone, Err(BackplaneError::Trimmed { trimmed }) if trimmed == last.position));
    assert_eq!(log.rewind(10).await.unwrap(), last);
    log.close().await;
    // Positions continue, although no entry is left.
    let log = open(dir.path(), config).await;
    assert_eq!(log.bounds().await.unwrap().head, last.position);
    let next = append(&log, "new").await;
    assert_eq!((next.epoch, next.position.minor()), (last.epoch, 2));
    log.close().await;
}

#[tokio::test]
async fn any_position_of_long_log_is_read_from_disk() {
    let dir = directory();
    let config = FileConfig::default()
        .sync(SyncPolicy::Never)
        .retention(Retention::default().bytes(8 << 20))
        .recent_bytes(0);
    let log = open(dir.path(), config.clone()).await;
    let mut writers = JoinSet::new();
    for _ in 0..64 {
        let log = log.clone();
        writers.spawn(async move {
            for number in 0..300 {
                append(&log, "x".repeat(number)).await;
            }
        });
    }
    writers.join_all().await;
    let written = entries(&log).await;
    assert!(segments(dir.path()).len() > 3);
    log.close().await;
    let log = open(dir.path(), config).await;
    let trimmed = log.bounds().await.unwrap().trimmed.minor();
    let epoch = beginning(&log).await.epoch;
    for at in (0..written.len()).step_by(617) {
        let after = Cursor::new(epoch.clone(), (trimmed + at as u64).into());
        let page = log
            .read(
                &after,
                ReadLimit {
                    entries: 3,
                    bytes: 1 << 20,
                },
            )
            .await
            .unwrap();
        assert_eq!(page.entries, written[at..written.len().min(at + 3)]);
    }
    log.close().await;
}

#[tokio::test]
async fn directory_is_exclusive() {
    let dir = directory();
    let log = open(dir.path(), FileConfig::default()).await;
    let second = FileBackplane::open(dir.path(), FileConfig::default()).await;
    assert!(matches!(second, Err(OpenError::Locked { dir: locked }) if locked == dir.path()));
    append(&log, "entry").await;
    log.close().await;
    let log = open(dir.path(), FileConfig::default()).await;
    assert_eq!(texts(&log).await, ["entry"]);
    log.close().await;
}

#[tokio::test]
async fn closed_log_is_reported() {
    let dir = directory();
    let log = open(dir.path(), FileConfig::default()).await;
    let mut tail = log.tail(&beginning(&log).await).await.unwrap();
    append(&log, "entry").await;
    log.close().await;
    log.close().await;
    assert!(matches!(
        log.append(entry("late")).await,
        Err(BackplaneError::Unavailable { .. })
    ));
    assert_eq!(tail.next().await.unwrap().entries.len(), 1);
    assert!(matches!(
        tail.next().await,
        Err(BackplaneError::Unavailable { .. })
    ));
}

#[tokio::test]
async fn dropped_log_is_written_and_unlocked() {
    let dir = directory();
    let log = open(dir.path(), FileConfig::default().sync(SyncPolicy::Never)).await;
    append(&log, "entry").await;
    drop(log);
    let log = timeout(TIMEOUT, async {
        loop {
            match FileBackplane::open(dir.path(), FileConfig::default()).await {
                Err(OpenError::Locked { .. }) => sleep(Duration::from_millis(5)).await,
                opened => return opened.unwrap(),
            }
        }
    });
    let log = log.await.unwrap();
    assert_eq!(texts(&log).await, ["entry"]);
    log.close().await;
}

#[tokio::test]
async fn oversized_entry_is_rejected_without_effect() {
    let dir = directory();
    let log = open(dir.path(), FileConfig::default().entry_bytes(100)).await;
    let payload = |bytes| Bytes::from(vec![0; bytes]);
    log.append(NewEntry {
        payload: payload(100),
        key: "k".repeat(128).as_str().try_into().ok(),
    })
    .await
    .unwrap();
    match log
        .append(NewEntry {
            payload: payload(101),
            key: None,
        })
        .await
    {
        Err(BackplaneError::TooLarge { size, limit }) => assert_eq!((size, limit), (101, 100)),
        other => panic!("{other:?}"),
    }
    assert_eq!(entries(&log).await.len(), 1);
    log.close().await;
}

#[tokio::test]
async fn settings_out_of_range_are_named() {
    let default = FileConfig::default;
    for (config, named) in [
        (
            default().retention(Retention::default().entries(0)),
            "retention.entries",
        ),
        (
            default().retention(Retention::default().bytes(1)),
            "retention.bytes",
        ),
        (
            default().retention(Retention::default().age(Duration::ZERO)),
            "retention.age",
        ),
        (default().sync(SyncPolicy::Interval(Duration::ZERO)), "sync"),
        (default().entry_bytes(0), "entry_bytes"),
        (default().pending_entries(0), "pending_entries"),
        (default().pending_bytes(0), "pending_bytes"),
        (default().recent_bytes(usize::MAX), "recent_bytes"),
    ] {
        let dir = directory();
        match FileBackplane::open(dir.path().join("log"), config).await {
            Err(OpenError::Setting { setting, .. }) => assert_eq!(setting, named),
            other => panic!("{other:?}"),
        }
        assert!(!dir.path().join("log").exists());
    }
}

#[tokio::test]
async fn unusable_directory_is_named() {
    let dir = directory();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let opened = FileBackplane::open(&file, FileConfig::default()).await;
    assert!(matches!(opened, Err(OpenError::Io { path, .. }) if path == file));
}

#[tokio::test]
#[cfg(unix)]
async fn log_with_removed_files_rejects_appends() {
    let dir = directory();
    let log = open(dir.path(), FileConfig::default()).await;
    append(&log, "entry").await;
    segments(dir.path())
        .into_iter()
        .for_each(|file| fs::remove_file(file).unwrap());
    for _ in 0..2 {
        let lost = log.append(entry("lost")).await;
        assert!(
            matches!(&lost, Err(BackplaneError::Rejected { reason, .. }) if reason.contains("was removed")),
            "{lost:?}"
        );
    }
    log.close().await;
}

#[tokio::test]
#[cfg(unix)]
async fn files_are_private_to_owner() {
    use std::os::unix::fs::PermissionsExt;
    let dir = directory();
    let path = dir.path().join("log");
    open(&path, FileConfig::default()).await.close().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}
