//! Helpers of the tests.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sse_core::backplane::{Backplane, Cursor, Entry, NewEntry, Position, ReadLimit};
use sse_file::{FileBackplane, FileConfig};
use tempfile::TempDir;

const ALL: ReadLimit = ReadLimit {
    entries: 100_000,
    bytes: 1 << 30,
};

/// Returns a directory, in memory if possible: the code is the same, and a sync takes no time.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if has_room(memory) {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .unwrap()
}

/// Memory file systems of containers are often small.
#[cfg(unix)]
fn has_room(dir: &Path) -> bool {
    const ENOUGH: u64 = 512 << 20;
    rustix::fs::statvfs(dir)
        .is_ok_and(|system| system.f_bavail.saturating_mul(system.f_frsize) >= ENOUGH)
}

#[cfg(not(unix))]
fn has_room(_: &Path) -> bool {
    false
}

pub(crate) async fn open(dir: &Path, config: FileConfig) -> FileBackplane {
    FileBackplane::open(dir, config).await.unwrap()
}

pub(crate) fn entry(text: impl Into<String>) -> NewEntry {
    NewEntry {
        payload: text.into().into(),
        key: None,
    }
}

pub(crate) async fn append(log: &FileBackplane, text: impl Into<String>) -> Cursor {
    log.append(entry(text)).await.unwrap().cursor
}

pub(crate) async fn beginning(log: &FileBackplane) -> Cursor {
    Cursor::new(log.bounds().await.unwrap().epoch, Position::ZERO)
}

/// Returns all entries of a log.
pub(crate) async fn entries(log: &FileBackplane) -> Vec<Entry> {
    let bounds = log.bounds().await.unwrap();
    let mut after = Cursor::new(bounds.epoch, bounds.trimmed);
    let mut all = Vec::new();
    loop {
        let page = log.read(&after, ALL).await.unwrap();
        all.extend(page.entries);
        if page.at_head {
            return all;
        }
        after.position = all[all.len() - 1].position;
    }
}

pub(crate) async fn texts(log: &FileBackplane) -> Vec<String> {
    entries(log)
        .await
        .into_iter()
        .map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap())
        .collect()
}

/// Returns the segments, oldest first.
pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|name| name == "log"))
        .collect();
    segments.sort();
    segments
}

/// Copies a directory in the state that `kill -9` would leave now.
pub(crate) fn copy(from: &Path, to: &Path) {
    // The log can remove a segment between the list and the copy. The copy then starts again, so
    // that all files are of one state.
    while let Err(error) = try_copy(from, to) {
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        for file in fs::read_dir(to).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    // Files that are written last are copied first, so that no file is ahead of one that was
    // written before it.
    let files = fs::read_dir(from)?.map(|file| Ok(file?.path()));
    let mut files: Vec<_> = files.collect::<io::Result<_>>()?;
    files.sort_by(|one, other| other.cmp(one));
    for file in files {
        fs::copy(&file, to.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}
