//! The directory of a log: `LOCK`, `META`, `END`, and its segments.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::error::OpenError;

/// A directory, locked for exclusive use as long as this value exists.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: File,
}

const UNFINISHED: &str = "tmp";
const SEGMENT: &str = "log";
const KEYS: &str = "keys";

impl Drop for Directory {
    fn drop(&mut self) {
        // A child process that was forked and has not executed its program yet also holds the
        // descriptor, so closing the descriptor here would not release the lock.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "failed to release the lock of an event log");
        }
    }
}

impl Directory {
    /// Opens the directory, and creates it if it does not exist. Locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        make(path).map_err(OpenError::io(path))?;
        let lock_path = path.join("LOCK");
        let lock = private()
            .read(true)
            .append(true)
            .create(true)
            .open(&lock_path);
        let lock = lock.map_err(OpenError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
                dir: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(OpenError::io(lock_path)(error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the path of a segment, by the number of its first entry.
    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}.{SEGMENT}"))
    }

    /// Returns the existing segments in order. Removes unfinished files.
    pub(crate) fn segments(&self) -> Result<Vec<(u64, PathBuf)>, OpenError> {
        let failed = || OpenError::io(&self.path);
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            match path.extension().and_then(OsStr::to_str) {
                Some(UNFINISHED) => fs::remove_file(&path).map_err(OpenError::io(path))?,
                Some(SEGMENT) => segments.extend(first(&path).map(|first| (first, path))),
                _ => {}
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// Returns the path for the keys of a removed segment.
    pub(crate) fn key_file(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}.{KEYS}"))
    }

    /// Returns the existing key files in order.
    pub(crate) fn key_files(&self) -> Result<Vec<(u64, PathBuf)>, OpenError> {
        let failed = || OpenError::io(&self.path);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if path.extension().and_then(OsStr::to_str) == Some(KEYS) {
                files.extend(first(&path).map(|first| (first, path)));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Creates or replaces a file with these bytes. At any time the file is complete or does not
    /// exist.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension(UNFINISHED);
        let written = self.write_by_way_of(&unfinished, path, bytes);
        if written.is_err() {
            // An unfinished file would take space on a full disk. If it cannot be removed now, the
            // next opening of the directory removes it.
            fs::remove_file(&unfinished).ok();
        }
        written
    }

    fn write_by_way_of(&self, unfinished: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(unfinished, path)?;
        self.sync()
    }

    #[cfg(unix)]
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the number in a segment's name. Entries are numbered from 1, so a file with the number
/// zero does not belong to the log.
fn first(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let is_ours = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    stem.parse().ok().filter(|first| is_ours && *first > 0)
}

/// Returns options that make files readable for their owner alone, because events can be
/// confidential.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(
        not(unix),
        expect(unused_mut, reason = "file modes exist only on Unix")
    )]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_numbers_start_at_one() {
        let name = |text: &str| first(Path::new(&format!("dir/{text}.log")));
        assert_eq!(name("00000000000000000001"), Some(1));
        assert_eq!(name("18446744073709551615"), Some(u64::MAX));
        for other in [
            "00000000000000000000",
            "1",
            "18446744073709551616",
            "+0000000000000000001",
            "notes",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn drop_releases_lock_despite_inherited_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        assert!(matches!(
            Directory::open(folder.path()),
            Err(OpenError::Locked { .. })
        ));
        // The test holds the descriptor like a child process between its fork and its program.
        let inherited = directory.lock.try_clone().unwrap();
        drop(directory);
        Directory::open(folder.path()).unwrap();
        drop(inherited);
    }
}
