//! Faults of the disk.

use std::{
    cell::Cell,
    fs,
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use sse_core::{
    Retention,
    backplane::{Appended, BackplaneError, Entry, NewEntry, ReadLimit},
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{
    append_queue::{AppendQueue, Pending},
    config::{FileConfig, SyncPolicy},
    directory::Directory,
    log::FileLog,
    page_builder::PageBuilder,
    segment::Reading,
    storage::{LogStorage, open_file},
    writer::{self, Writer},
};

thread_local! {
    static FAULT: Cell<Option<DiskFault>> = const { Cell::new(None) };
}

/// A fault of the disk from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiskFault {
    /// The disk is full after this number of further bytes.
    Full(usize),
    /// The disk is full, and the last write cannot be undone.
    FullAndStuck,
    Sync,
}

#[derive(Debug)]
struct Faulty(Box<dyn LogStorage>);

fn open_faulty(path: &Path) -> io::Result<Box<dyn LogStorage>> {
    match FAULT.get() {
        Some(DiskFault::Full(0)) => Err(ErrorKind::StorageFull.into()),
        _ => Ok(Box::new(Faulty(open_file(path)?))),
    }
}

impl LogStorage for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = match FAULT.get() {
            Some(DiskFault::Full(room)) => room,
            Some(DiskFault::FullAndStuck) => 20,
            Some(DiskFault::Sync) | None => usize::MAX,
        };
        self.0.append(&bytes[..bytes.len().min(room)])?;
        if bytes.len() > room {
            Err(ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if FAULT.get() == Some(DiskFault::Sync) {
            Err(io::Error::other("scripted"))
        } else {
            self.0.sync()
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        if FAULT.get() == Some(DiskFault::FullAndStuck) {
            return Err(io::Error::other("scripted"));
        }
        self.0.truncate(len)
    }

    fn is_removed(&self) -> bool {
        self.0.is_removed()
    }
}

/// A log whose writer works only when the test calls it.
struct Stage {
    dir: TempDir,
    log: Arc<FileLog>,
    writer: Writer,
}

impl Stage {
    fn new(config: FileConfig) -> Self {
        Self::at(tempfile::tempdir().unwrap(), config)
    }

    fn at(dir: TempDir, config: FileConfig) -> Self {
        FAULT.set(None);
        let directory = Directory::open(dir.path()).unwrap();
        let queue = Arc::new(AppendQueue::new(ReadLimit {
            entries: 100,
            bytes: 10_000,
        }));
        let (log, writer) = writer::open(directory, config, open_faulty, queue).unwrap();
        Self { dir, log, writer }
    }

    fn append(&mut self, text: &str, key: Option<&str>) -> Result<Appended, BackplaneError> {
        let (reply, mut answer) = oneshot::channel();
        let entry = NewEntry {
            payload: text.to_owned().into(),
            key: key.map(|key| key.try_into().unwrap()),
        };
        self.writer.append(vec![Pending { entry, reply }]);
        answer.try_recv().unwrap()
    }

    fn texts(&self) -> Vec<String> {
        let bounds = self.log.bounds();
        let (mut after, head) = (bounds.trimmed.minor(), bounds.head.minor());
        let mut texts = Vec::new();
        while after < head {
            match self.log.read(
                after,
                ReadLimit {
                    entries: 1000,
                    bytes: 1 << 20,
                },
            ) {
                Ok(page) => {
                    after = page.entries.last().unwrap().position.minor();
                    let text = |entry: &Entry| String::from_utf8(entry.payload.to_vec()).unwrap();
                    texts.extend(page.entries.iter().map(text));
                }
                Err(BackplaneError::Damaged { to, .. }) => {
                    after = to.minor();
                    texts.push("(damaged)".to_owned());
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        texts
    }

    /// Opens the log again, as another process would.
    fn reopen(self, config: FileConfig) -> Self {
        FAULT.set(None);
        let Self { dir, log, writer } = self;
        drop((log, writer));
        Self::at(dir, config)
    }
}

fn is_full(result: &Result<Appended, BackplaneError>) -> bool {
    matches!(result, Err(BackplaneError::Blocked { reason, source: Some(_) }) if reason.contains("the disk is full"))
}

#[test]
fn full_disk_blocks_appends_and_log_stays_intact() {
    for room in [0, 1, 16, 30, 40] {
        let mut stage = Stage::new(FileConfig::default());
        let first = stage.append("first", Some("one")).unwrap();
        let before = stage.log.bounds();
        FAULT.set(Some(DiskFault::Full(room)));
        for _ in 0..2 {
            assert!(
                is_full(&stage.append("refused", Some("two"))),
                "{room} bytes of room"
            );
            assert_eq!(stage.log.bounds(), before);
        }
        assert!(stage.append("known", Some("one")).unwrap().duplicate);
        FAULT.set(None);
        let second = stage.append("second", Some("two")).unwrap();
        assert!(!second.duplicate, "a rejected entry was appended");
        assert_eq!(
            second.cursor.position.minor(),
            first.cursor.position.minor() + 1
        );
        assert_eq!(stage.texts(), ["first", "second"]);
        assert_eq!(
            stage.reopen(FileConfig::default()).texts(),
            ["first", "second"]
        );
    }
}

#[test]
fn full_disk_between_segments_keeps_log_intact() {
    let config = FileConfig::default().retention(Retention::default().entries(16));
    let mut stage = Stage::new(config.clone());
    ["first", "second"]
        .into_iter()
        .for_each(|text| assert!(!stage.append(text, None).unwrap().duplicate));
    FAULT.set(Some(DiskFault::Full(0)));
    for _ in 0..2 {
        assert!(is_full(&stage.append("refused", None)));
    }
    FAULT.set(None);
    stage.append("third", None).unwrap();
    assert_eq!(stage.texts(), ["first", "second", "third"]);
    assert_eq!(stage.reopen(config).texts(), ["first", "second", "third"]);
}

#[test]
fn unremovable_bytes_are_hidden_and_removed_later() {
    let mut stage = Stage::new(FileConfig::default());
    stage.append("first", None).unwrap();
    FAULT.set(Some(DiskFault::FullAndStuck));
    let unknown = stage.append("unknown", None);
    assert!(
        matches!(unknown, Err(BackplaneError::Unavailable { .. })),
        "{unknown:?}"
    );
    // None of the following appends is written.
    for _ in 0..2 {
        let blocked = stage.append("blocked", None);
        assert!(
            matches!(blocked, Err(BackplaneError::Blocked { .. })),
            "{blocked:?}"
        );
    }
    FAULT.set(None);
    stage.append("second", None).unwrap();
    assert_eq!(stage.texts(), ["first", "second"]);
    assert_eq!(
        stage.reopen(FileConfig::default()).texts(),
        ["first", "second"]
    );
}

#[test]
fn failed_sync_leaves_no_entries() {
    for failures in 1..4 {
        let mut stage = Stage::new(FileConfig::default());
        stage.append("first", None).unwrap();
        let before = stage.log.bounds();
        FAULT.set(Some(DiskFault::Sync));
        let unknown = stage.append("unknown", Some("key"));
        assert!(
            matches!(unknown, Err(BackplaneError::Unavailable { .. })),
            "{unknown:?}"
        );
        for _ in 1..failures {
            // Nothing is written before the disk has synced the earlier writes.
            let blocked = stage.append("blocked", None);
            assert!(
                matches!(blocked, Err(BackplaneError::Blocked { .. })),
                "{blocked:?}"
            );
        }
        assert_eq!(
            stage.texts(),
            ["first"],
            "an unacknowledged entry is readable"
        );
        assert_eq!(stage.log.bounds(), before);
        FAULT.set(None);
        assert!(!stage.append("second", Some("key")).unwrap().duplicate);
        assert_eq!(stage.texts(), ["first", "second"]);
        let mut stage = stage.reopen(FileConfig::default());
        assert_eq!(stage.texts(), ["first", "second"]);
        stage.append("third", None).unwrap();
    }
}

#[test]
fn failed_sync_between_segments_is_repeated() {
    let config = FileConfig::default().retention(Retention::default().entries(16));
    let mut stage = Stage::new(config.clone());
    ["first", "second"]
        .into_iter()
        .for_each(|text| assert!(!stage.append(text, None).unwrap().duplicate));
    FAULT.set(Some(DiskFault::Sync));
    for _ in 0..2 {
        assert!(stage.append("refused", None).is_err());
    }
    FAULT.set(None);
    stage.append("third", None).unwrap();
    assert_eq!(stage.texts(), ["first", "second", "third"]);
    assert_eq!(stage.reopen(config).texts(), ["first", "second", "third"]);
}

#[test]
fn sync_interval_runs_without_further_appends() {
    let interval = Duration::from_millis(1);
    let mut stage = Stage::new(FileConfig::default().sync(SyncPolicy::Interval(interval)));
    FAULT.set(Some(DiskFault::Sync));
    stage.append("first", None).unwrap();
    thread::sleep(interval);
    stage.writer.check();
    FAULT.set(None);
    let refused = stage.append("refused", None);
    assert!(
        matches!(refused, Err(BackplaneError::Rejected { .. })),
        "the append succeeded without a sync: {refused:?}"
    );
}

#[test]
fn unacknowledged_entries_are_not_read() {
    let mut stage = Stage::new(FileConfig::default());
    for text in ["first", "second", "third"] {
        stage.append(text, None).unwrap();
    }
    let segment = stage.log.segment(1).unwrap();
    let mut page = PageBuilder::new(ReadLimit {
        entries: 1000,
        bytes: 1 << 20,
    });
    let FileLog {
        seal, step, runs, ..
    } = &*stage.log;
    segment
        .read(
            Reading {
                seal: *seal,
                step: *step,
                runs,
                last: 2,
            },
            0,
            &mut page,
        )
        .unwrap();
    assert_eq!(page.last(), Some(2));
}

#[test]
fn torn_batch_leaves_hole_and_keeps_the_rest() {
    // The middle of a batch of three never reached the disk when the machine crashed: no entry of
    // the batch was acknowledged.
    let mut stage = Stage::new(FileConfig::default());
    stage.append("first", None).unwrap();
    let file = stage.log.segment(1).unwrap().path.clone();
    let begin = fs::metadata(&file).unwrap().len();
    let replies: Vec<_> = ["a", "b", "c"]
        .map(|text| {
            let (reply, answer) = oneshot::channel();
            let entry = NewEntry {
                payload: text.into(),
                key: None,
            };
            (Pending { entry, reply }, answer)
        })
        .into();
    let (pending, _answers): (Vec<_>, Vec<_>) = replies.into_iter().unzip();
    stage.writer.append(pending);
    let mut bytes = fs::read(&file).unwrap();
    let at = usize::try_from(begin).unwrap();
    let length = (bytes.len() - at) / 3;
    bytes[at + length..at + 2 * length].fill(0);
    let Stage { dir, log, writer } = stage;
    let epoch = log.epoch.clone();
    drop((log, writer));
    fs::write(&file, bytes).unwrap();
    let stage = Stage::at(dir, FileConfig::default());
    // According to the file, the entry was acknowledged.
    assert_eq!(stage.texts(), ["first", "a", "(damaged)", "c"]);
    assert_eq!(stage.log.epoch, epoch);
}
