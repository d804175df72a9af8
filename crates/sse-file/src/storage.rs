//! The file that a segment is written to.

use std::{
    fmt::Debug,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

/// A file that grows at its end. Tests have other implementations, which fail.
pub(crate) trait LogStorage: Debug + Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    fn sync(&mut self) -> io::Result<()>;

    /// Removes all bytes after `len`.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Returns `true` if the file was removed.
    fn is_removed(&self) -> bool;
}

/// Opens a segment's file for appending.
pub(crate) type OpenStorage = fn(&Path) -> io::Result<Box<dyn LogStorage>>;

pub(crate) fn open_file(path: &Path) -> io::Result<Box<dyn LogStorage>> {
    let mut file = File::options().write(true).open(path)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Box::new(file))
}

impl LogStorage for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(drop)
    }

    #[cfg(unix)]
    fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    #[cfg(not(unix))]
    fn is_removed(&self) -> bool {
        false
    }
}
