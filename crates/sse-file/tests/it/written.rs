//! A log as it was written, and what is read of it later.

use std::path::Path;

use sse_core::{
    Retention,
    backplane::{Backplane, BackplaneError, Bounds, Cursor, Entry, NewEntry, Position, ReadLimit},
};
use sse_file::{Damage, FileBackplane, FileConfig, OpenError};
use tempfile::TempDir;

use crate::support::{append, beginning, copy, directory, entries, open, segments};

pub(crate) const PAGE: ReadLimit = ReadLimit {
    entries: 4,
    bytes: 1000,
};

/// Returns a configuration with six entries per segment.
pub(crate) fn config() -> FileConfig {
    FileConfig::default()
        .retention(Retention::default().entries(48))
        .recent_bytes(0)
}

/// The state in which a log was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Closed,
    Killed,
}

/// A log of four segments, the last with three entries, from two openings.
pub(crate) struct Written {
    pub(crate) dir: TempDir,
    pub(crate) left: Left,
    pub(crate) bounds: Bounds,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) async fn written(left: Left) -> Written {
    let (mut dir, killed) = (directory(), directory());
    let mut log = open(dir.path(), config()).await;
    for number in 0..21_usize {
        if number == 8 {
            log.close().await;
            log = open(dir.path(), config()).await;
        }
        let key = (number % 2 == 0).then(|| format!("key {number}").as_str().try_into().unwrap());
        let payload = format!("{number}{}", "x".repeat(number * 29 % 80)).into();
        log.append(NewEntry { payload, key }).await.unwrap();
    }
    let (bounds, entries) = (log.bounds().await.unwrap(), entries(&log).await);
    copy(dir.path(), killed.path());
    log.close().await;
    if left == Left::Killed {
        dir = killed;
    }
    assert_eq!((segments(dir.path()).len(), entries.len()), (4, 21));
    Written {
        dir,
        left,
        bounds,
        entries,
    }
}

impl Written {
    pub(crate) fn copy(&self) -> TempDir {
        let dir = directory();
        copy(self.dir.path(), dir.path());
        dir
    }

    pub(crate) fn cursor(&self, position: Position) -> Cursor {
        Cursor::new(self.bounds.epoch.clone(), position)
    }

    /// Opens a damaged copy and checks the guarantees of every log. Either the log is not opened,
    /// and the error names the file. Or every acknowledged entry is returned or covered by a gap,
    /// from every cursor, and no position is assigned twice. Returns `true` if the log was opened.
    pub(crate) async fn check(&self, dir: &Path, what: &str) -> bool {
        let context = format!("{what}, {:?}", self.left);
        let log = match FileBackplane::open(dir, config()).await {
            Ok(log) => log,
            Err(OpenError::Damaged(Damage { file, .. }) | OpenError::Io { path: file, .. }) => {
                assert!(
                    file.starts_with(dir) && file != dir,
                    "{context}: the error names {}",
                    file.display()
                );
                return false;
            }
            Err(error) => panic!("{context}: {error:?}"),
        };
        self.check_open(&log, &context).await;
        let next = append(&log, "next").await;
        let known = |entry: &Entry| self.cursor(entry.position);
        assert!(
            !self.entries.iter().map(known).any(|cursor| cursor == next),
            "{context}: {next} was assigned twice"
        );
        if next.epoch == self.bounds.epoch {
            assert!(
                next.position > self.entries[20].position,
                "{context}: {next} precedes other positions"
            );
        }
        log.close().await;
        // A second opening finds the same.
        let log = open(dir, config()).await;
        self.check_open(&log, &context).await;
        let all = follow(&log, beginning(&log).await).await;
        assert_eq!(all.entries.last().unwrap().payload, "next", "{context}");
        log.close().await;
        true
    }

    pub(crate) async fn check_open(&self, log: &FileBackplane, context: &str) {
        let epoch = log.bounds().await.unwrap().epoch;
        let before =
            std::iter::once(Position::ZERO).chain(self.entries.iter().map(|entry| entry.position));
        for (missed, from) in before.enumerate() {
            let came = follow(log, self.cursor(from)).await;
            if came.is_in_another_log {
                assert_ne!(epoch, self.bounds.epoch, "{context}");
                continue;
            }
            for entry in &self.entries[missed..] {
                let at = entry.position;
                let is_reported = came.gaps.iter().any(|(after, to)| *after < at && at <= *to);
                match came.entries.iter().find(|came| came.position == at) {
                    Some(came) => assert_eq!(came, entry, "{context}: a wrong entry"),
                    None => assert!(
                        is_reported,
                        "{context}: {at} is missing after {from}: {:?}",
                        came.gaps
                    ),
                }
            }
        }
    }
}

/// The entries and gaps that a client receives after a cursor.
#[derive(Debug, Default)]
pub(crate) struct Came {
    pub(crate) entries: Vec<Entry>,
    pub(crate) gaps: Vec<(Position, Position)>,
    pub(crate) is_in_another_log: bool,
}

pub(crate) async fn follow(log: &FileBackplane, mut after: Cursor) -> Came {
    let mut came = Came::default();
    loop {
        let from = after.position;
        match log.read(&after, PAGE).await {
            Ok(page) => {
                came.entries.extend(page.entries);
                if page.at_head {
                    return came;
                }
                after.position = came.entries.last().unwrap().position;
            }
            Err(BackplaneError::Damaged { to, .. } | BackplaneError::Trimmed { trimmed: to }) => {
                came.gaps.push((from, to));
                after.position = to;
            }
            // The client is ahead of the log, which the error reports.
            Err(BackplaneError::Future { .. }) => {
                came.gaps.push((from, Position::new(u64::MAX, 0)));
                return came;
            }
            Err(BackplaneError::Epoch { .. }) => {
                came.is_in_another_log = true;
                return came;
            }
            Err(error) => panic!("{error:?}"),
        }
        assert!(after.position > from, "no progress after {from}");
    }
}
