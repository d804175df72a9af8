//! The wall clock of a process, which libfaketime sets.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::Error;

/// Folders in which distributions install libfaketime.
const FOLDERS: [&str; 2] = ["/usr/lib", "/usr/local/lib"];

/// Name of the library, for programs with threads, in a folder of a distribution or of an
/// architecture below it.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// A wall clock that can be set while its process runs. The monotonic clock is the real one.
pub(crate) struct ShiftedClock {
    library: PathBuf,
    /// Holds the offset, which the process reads once a second.
    file: PathBuf,
}

impl ShiftedClock {
    /// Creates a clock that is right, with its file at a path.
    pub(crate) fn new(file: PathBuf) -> Result<Self, Error> {
        let library = FOLDERS
            .iter()
            .find_map(|folder| library_in(Path::new(folder)));
        let library = library.ok_or_else(|| Error::new("libfaketime is not installed"))?;
        let clock = Self { library, file };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Sets the offset of the clock from the right time, for example `+2h` or `-30m`.
    pub(crate) fn set(&self, offset: &str) -> Result<(), Error> {
        Ok(fs::write(&self.file, format!("{offset}\n"))?)
    }

    /// Makes a process that is to be started use this clock.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.envs([
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]);
    }
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let below = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    std::iter::once(folder.to_owned())
        .chain(below)
        .map(|folder| folder.join(LIBRARY))
        .find(|path| path.is_file())
}
