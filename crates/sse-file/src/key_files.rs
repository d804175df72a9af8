//! Keys of removed segments.
//!
//! A log that is small or that grows fast removes a segment before the keys of its entries expire.
//! Such keys are then kept in a separate file, as records without payloads, so that they still
//! count after a restart.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sse_core::backplane::KEY_WINDOW;
use tracing::warn;

use crate::{
    directory::Directory,
    error::OpenError,
    record::{Flaw, Record, RecordReader, Seal},
    retention::is_older,
    segment::{Segment, scan},
};

/// Files with keys that may still count, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct KeyFiles(VecDeque<KeyFile>);

#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    /// Time of the last of its keys.
    last_ms: u64,
}

impl KeyFiles {
    /// Reads the keys of entries before `first` that may still count, and removes files whose keys
    /// have all expired.
    pub(crate) fn read(
        directory: &Directory,
        seal: Seal,
        first: u64,
        now_ms: u64,
        mut visit: impl FnMut(&Record),
    ) -> Result<Self, OpenError> {
        let mut files = VecDeque::new();
        for (_, path) in directory.key_files()? {
            let mut last_ms = 0;
            let read = read(&path, seal, |record| {
                last_ms = last_ms.max(record.unix_ms);
                // After a crash, both the segment and the file may exist.
                if record.sequence < first {
                    visit(&record);
                }
            });
            if let Err(problem) = read {
                warn!(file = %path.display(), problem, "failed to read the idempotency keys of trimmed entries: a retried publish can be appended twice");
                // A file that cannot be read now may be readable at the next start.
                last_ms = now_ms;
            }
            files.push_back(KeyFile { path, last_ms });
        }
        let mut files = Self(files);
        files.remove_old(now_ms);
        Ok(files)
    }

    /// Writes the unexpired keys of a segment that is about to be removed.
    pub(crate) fn keep(
        &mut self,
        directory: &Directory,
        (seal, step): (Seal, u64),
        segment: &Segment,
        now_ms: u64,
    ) -> io::Result<()> {
        let (_, end, last_ms) = segment.size();
        if is_older(last_ms, KEY_WINDOW, now_ms) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let header = (segment.first, segment.created_ms);
        scan(&segment.path, seal, header, end, step, |record| {
            if record.key.is_some() && !is_older(record.unix_ms, KEY_WINDOW, now_ms) {
                Record {
                    payload: Bytes::new(),
                    ..record.clone()
                }
                .encode(seal, &mut bytes);
            }
        })?;
        if !bytes.is_empty() {
            let path = directory.key_file(segment.first);
            directory.write(&path, &bytes)?;
            // After a crash, both the file and the segment may exist.
            self.0.retain(|file| file.path != path);
            self.0.push_back(KeyFile { path, last_ms });
        }
        Ok(())
    }

    /// Removes files whose keys have expired.
    pub(crate) fn remove_old(&mut self, now_ms: u64) {
        while let Some(file) = self
            .0
            .pop_front_if(|file| is_older(file.last_ms, KEY_WINDOW, now_ms))
        {
            if let Err(error) = fs::remove_file(&file.path) {
                warn!(file = %file.path.display(), %error, "failed to remove expired idempotency keys");
            }
        }
    }
}

/// Reads up to the first invalid record.
fn read(path: &Path, seal: Seal, mut visit: impl FnMut(Record)) -> Result<(), String> {
    let to_text = |error: io::Error| error.to_string();
    let file = File::open(path).map_err(to_text)?;
    let end = file.metadata().map_err(to_text)?.len();
    let mut records = RecordReader::new(BufReader::new(file), seal, 0, end);
    loop {
        match records.next() {
            Ok(Some(record)) => visit(record),
            Ok(None) => return Ok(()),
            Err(Flaw::Io(error)) => return Err(to_text(error)),
            Err(Flaw::Short) => return Err("truncated record".to_owned()),
            Err(Flaw::Wrong(what)) => return Err(what.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sse_core::backplane::unix_ms;
    use tempfile::tempdir;

    use super::*;
    use crate::{
        segment::SegmentContent,
        segment_header::{HEADER_BYTES, SegmentHeader},
    };

    const SEAL: Seal = Seal(7);
    const WINDOW_MS: u64 = KEY_WINDOW.as_secs() * 1000;

    /// Returns a segment with an entry for each time, every second of them with a key.
    fn segment(directory: &Directory, first: u64, times: &[u64]) -> Segment {
        let header = SegmentHeader {
            first,
            created_ms: times[0],
            previous_first: 0,
            previous_bytes: 0,
        };
        let mut bytes = header.to_bytes(SEAL);
        for (sequence, unix_ms) in (first..).zip(times) {
            let key = (sequence % 2 == 0).then(|| format!("key {sequence}").into());
            let record = Record {
                sequence,
                unix_ms: *unix_ms,
                synced: 0,
                key,
                payload: "payload".into(),
            };
            record.encode(SEAL, &mut bytes);
        }
        let path = directory.segment(first);
        directory.write(&path, &bytes).unwrap();
        let (entries, last_ms) = (times.len() as u64, *times.last().unwrap());
        let content = SegmentContent {
            entries,
            bytes: bytes.len() as u64,
            last_ms,
            index: None,
        };
        assert!(content.bytes > HEADER_BYTES);
        Segment::new(header, path, content)
    }

    fn read_all(directory: &Directory, first: u64, now_ms: u64) -> (KeyFiles, Vec<u64>) {
        let mut sequences = Vec::new();
        let files = KeyFiles::read(directory, SEAL, first, now_ms, |record| {
            assert_eq!(
                record.key.as_deref(),
                Some(&*format!("key {}", record.sequence))
            );
            sequences.push(record.sequence);
        });
        (files.unwrap(), sequences)
    }

    #[test]
    fn keys_of_removed_segments_are_read_until_expiry() {
        let dir = tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let now = unix_ms();
        let mut files = KeyFiles::default();
        let old = segment(&directory, 1, &[now - WINDOW_MS - 1, now - WINDOW_MS]);
        let partly = segment(
            &directory,
            3,
            &[now - WINDOW_MS - 2, now - WINDOW_MS - 1, now - 50, now - 40],
        );
        let young = segment(&directory, 7, &[now - 20, now - 10]);
        for segment in [&old, &partly, &young] {
            files
                .keep(&directory, (SEAL, 16 << 10), segment, now)
                .unwrap();
        }
        assert_eq!(files.0.len(), 2, "the expired file was kept");
        assert_eq!(read_all(&directory, 9, now).1, [6, 8]);
        assert_eq!(
            read_all(&directory, 7, now).1,
            [6],
            "a key of an existing segment was read"
        );
        files.remove_old(now - 40 + WINDOW_MS);
        assert_eq!(read_all(&directory, 9, now).1, [8]);
        let (files, _) = read_all(&directory, 9, now - 10 + WINDOW_MS);
        assert!(files.0.is_empty() && directory.key_files().unwrap().is_empty());
    }

    #[test]
    fn damaged_key_file_does_not_prevent_open() {
        let dir = tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let now = unix_ms();
        let times: Vec<_> = (0..20).map(|at| now - 100 + at).collect();
        let whole = segment(&directory, 1, &times);
        KeyFiles::default()
            .keep(&directory, (SEAL, 16 << 10), &whole, now)
            .unwrap();
        let path = directory.key_file(1);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            for damaged in [&damaged[..], &bytes[..at]] {
                fs::write(&path, damaged).unwrap();
                let (_, sequences) = read_all(&directory, 21, now);
                let expected: Vec<_> = (1..=10).map(|number| 2 * number).collect();
                assert_eq!(sequences, expected[..sequences.len()]);
                fs::write(&path, &bytes).unwrap();
            }
        }
    }
}
