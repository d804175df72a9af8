//! The number of the last entry, in a separate file: `END`.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use crate::{
    directory::{Directory, private},
    record::Seal,
};

pub(crate) const END: &str = "END";

/// Number of bytes of the number and its checksum.
const BYTES: usize = 12;

/// The number of the last entry, which shows whether the end of the log is missing.
///
/// The file is written before each acknowledgement and never synced, so it survives a crash of the
/// process. After a loss of power the number can be too small. It is never greater than the number
/// on disk with [`SyncPolicy::EveryBatch`](crate::SyncPolicy::EveryBatch).
#[derive(Debug)]
pub(crate) struct EndMark {
    file: File,
    seal: Seal,
}

impl EndMark {
    /// Opens the file, and returns the number that it contains for this log.
    pub(crate) fn open(directory: &Directory, seal: Seal) -> io::Result<(Self, Option<u64>)> {
        let mut file = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.file(END))?;
        let mut bytes = Vec::with_capacity(BYTES);
        Read::by_ref(&mut file)
            .take(BYTES as u64)
            .read_to_end(&mut bytes)?;
        let end = bytes.split_first_chunk::<8>().filter(|(number, checksum)| {
            **checksum == seal.checksum(&number[..]).to_le_bytes()[..]
        });
        let end = end.map(|(number, _)| u64::from_le_bytes(*number));
        Ok((Self { file, seal }, end))
    }

    /// Stores the number of an entry that is about to be acknowledged.
    pub(crate) fn note(&mut self, end: u64) -> io::Result<()> {
        let number = end.to_le_bytes();
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&number);
        bytes[8..].copy_from_slice(&self.seal.checksum(&number).to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)
    }
}
