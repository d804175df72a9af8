//! The writer thread.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sse_core::{
    backplane::{Appended, Cursor, Entry, IdempotencyKeys, ReadLimit, unix_ms},
    config::KeysFull,
};
use tracing::{debug, error, warn};

use crate::{
    append_queue::{AppendQueue, Pending, Work},
    batch_error::{BatchError, fail},
    config::{FileConfig, SyncPolicy},
    directory::Directory,
    end::EndMark,
    error::OpenError,
    key_files::KeyFiles,
    log::FileLog,
    metadata::{Left, META, Meta},
    record::Record,
    recovery::{Recovered, empty, index_step, recover},
    retention::{LogSize, is_older, is_over},
    segment::Segment,
    segment_header::{HEADER_BYTES, SegmentHeader},
    storage::{LogStorage, OpenStorage},
};

/// Limits of the entries that are written and synced at once.
const BATCH: ReadLimit = ReadLimit {
    entries: 1024,
    bytes: 4 << 20,
};

/// The writer of a log. It writes the appends of a queue, syncs the log and removes old segments.
#[derive(Debug)]
pub(crate) struct Writer {
    config: FileConfig,
    open_storage: OpenStorage,
    /// The directory, or `None` once the log is closed.
    directory: Option<Directory>,
    meta: Meta,
    end_mark: EndMark,
    log: Arc<FileLog>,
    queue: Arc<AppendQueue>,
    active: Active,
    /// Sequence numbers by key.
    keys: IdempotencyKeys<u64>,
    key_files: KeyFiles,
    head: u64,
    bytes: u64,
    /// Time of the last append, which never decreases even if the clock is set back.
    last_ms: u64,
    /// Duration of the latest sync that an append waited for.
    sync_time: Duration,
    /// The reason why no more entries can be written.
    broken: Option<String>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Active {
    segment: Arc<Segment>,
    storage: Box<dyn LogStorage>,
    entries: u64,
    bytes: u64,
    /// Length up to which the segment is synced.
    synced: u64,
    /// Time of the first write that is not synced.
    unsynced_since: Option<Instant>,
    /// Set if bytes of a failed write may follow `bytes`.
    is_untidy: bool,
    /// Set if a sync failed: the system may consider pages written although it gave up writing
    /// them.
    is_doubtful: bool,
}

impl Active {
    /// Creates an active segment with everything synced.
    fn new(segment: Arc<Segment>, storage: Box<dyn LogStorage>, entries: u64, bytes: u64) -> Self {
        Self {
            segment,
            storage,
            entries,
            bytes,
            synced: bytes,
            unsynced_since: None,
            is_untidy: false,
            is_doubtful: false,
        }
    }
}

/// Entries that are written together.
#[derive(Debug, Default)]
struct WriteBatch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Sequence numbers and offsets.
    records: Vec<(u64, u64)>,
    /// Keys of the entries. They are already remembered, so that a key counts within a batch as
    /// well.
    keys: Vec<Arc<str>>,
}

/// Opens a log. Returns the readers' view and the writer.
pub(crate) fn open(
    directory: Directory,
    config: FileConfig,
    open_storage: OpenStorage,
    queue: Arc<AppendQueue>,
) -> Result<(Arc<FileLog>, Writer), OpenError> {
    let Recovered {
        directory,
        meta,
        end_mark,
        segments,
        keys,
        key_files,
    } = recover(directory, &config)?;
    let segment = Arc::clone(segments.back().expect("a log has at least one segment"));
    let (entries, bytes, last_ms) = segment.size();
    let storage = open_storage(&segment.path).map_err(OpenError::io(&segment.path))?;
    let head = segment.first + entries - 1;
    let all_bytes = segments.iter().map(|segment| segment.size().1).sum();
    let recent_bytes = config.recent_bytes;
    let (step, runs) = (index_step(&config), meta.runs.clone());
    let log = FileLog::new(
        meta.epoch.clone(),
        meta.seal,
        runs,
        step,
        segments,
        head,
        recent_bytes,
    );
    let log = Arc::new(log);
    let active = Active::new(segment, storage, entries, bytes);
    let mut writer = Writer {
        config,
        open_storage,
        directory: Some(directory),
        meta,
        end_mark,
        log: Arc::clone(&log),
        queue,
        active,
        keys,
        key_files,
        head,
        bytes: all_bytes,
        last_ms,
        sync_time: Duration::ZERO,
        broken: None,
    };
    writer.check();
    Ok((log, writer))
}

impl Writer {
    /// Starts a thread that runs until the queue is closed and empty.
    pub(crate) fn start(mut self) -> io::Result<()> {
        thread::Builder::new()
            .name("sse-file".to_owned())
            .spawn(move || {
                self.run();
            })?;
        Ok(())
    }

    fn run(&mut self) {
        loop {
            match self.queue.take(self.limit(), self.next_check()) {
                Work::Append(pending) => {
                    let entries = pending.len();
                    self.append(pending);
                    self.gather(entries);
                }
                Work::Check => {}
                Work::End => break,
            }
            self.check();
        }
        self.end();
    }

    /// Waits for the callers of the last batch, which are likely to append again together. Without
    /// the short wait, the first of them would get a separate sync, and the others would wait for
    /// that sync.
    fn gather(&self, entries: usize) {
        if entries > 1 {
            self.queue.gather(entries, self.sync_time / 2);
        }
    }

    /// Returns the remaining room of the segment, or the room of the next one if this one is full.
    fn limit(&self) -> ReadLimit {
        let (entries, bytes) = if self.is_full() {
            (0, HEADER_BYTES)
        } else {
            (self.active.entries, self.active.bytes)
        };
        let entries = self.config.segment_entries().saturating_sub(entries);
        let bytes = self.config.segment_bytes().saturating_sub(bytes);
        ReadLimit {
            entries: usize::try_from(entries)
                .unwrap_or(usize::MAX)
                .min(BATCH.entries),
            bytes: usize::try_from(bytes)
                .unwrap_or(usize::MAX)
                .min(BATCH.bytes),
        }
    }

    fn is_full(&self) -> bool {
        let active = &self.active;
        active.entries > 0
            && (active.entries >= self.config.segment_entries()
                || active.bytes >= self.config.segment_bytes()
                || is_older(
                    active.segment.created_ms,
                    self.config.segment_age(),
                    unix_ms(),
                ))
    }

    pub(crate) fn append(&mut self, pending: Vec<Pending>) {
        if let Err(failure) = self.make_ready() {
            return fail(pending, &failure);
        }
        let mut batch = WriteBatch::default();
        let places: Vec<_> = pending
            .iter()
            .map(|pending| self.place(&mut batch, pending))
            .collect();
        let keys = std::mem::take(&mut batch.keys);
        if let Err(failure) = self.write(batch) {
            keys.iter().rev().for_each(|key| self.keys.take_back(key));
            return fail(pending, &failure);
        }
        for (pending, appended) in pending.into_iter().zip(places) {
            // A caller that stopped waiting is no error.
            pending.reply.send(appended.map_err(Into::into)).ok();
        }
    }

    fn make_ready(&mut self) -> Result<(), BatchError> {
        if let Some(reason) = &self.broken {
            return Err(BatchError::Refused {
                reason: reason.clone(),
            });
        }
        self.tidy()
            .map_err(|error| BatchError::of_write(error, &self.active.segment.path))?;
        if self.is_full() {
            self.rotate()
        } else {
            Ok(())
        }
    }

    /// Removes the remains of a failed write or sync.
    fn tidy(&mut self) -> io::Result<()> {
        let active = &mut self.active;
        if active.is_untidy {
            active.storage.truncate(active.bytes)?;
            active.is_untidy = false;
        }
        if active.is_doubtful {
            // The unsynced bytes were removed, so if this sync succeeds, the remaining bytes are on
            // disk.
            active.storage.sync()?;
            active.is_doubtful = false;
        }
        Ok(())
    }

    /// Assigns a position to an entry, or returns the position of its duplicate.
    fn place(&mut self, batch: &mut WriteBatch, pending: &Pending) -> Result<Appended, KeysFull> {
        let unix_ms = self.now_ms();
        let appended = |sequence: u64, duplicate| Appended {
            cursor: Cursor::new(self.log.epoch.clone(), self.log.runs.position(sequence)),
            duplicate,
        };
        let key = pending.entry.key.as_ref();
        if let Some(key) = key {
            if let Some(sequence) = self.keys.get(key.text()) {
                return Ok(appended(*sequence, true));
            }
            self.keys.check_room(key)?;
        }
        let sequence = self.head + batch.records.len() as u64 + 1;
        let payload = pending.entry.payload.clone();
        let record = Record {
            sequence,
            unix_ms,
            synced: u32::try_from(self.active.synced).unwrap_or(u32::MAX),
            key: key.map(|key| Arc::clone(key.text())),
            payload: payload.clone(),
        };
        batch
            .records
            .push((sequence, self.active.bytes + batch.bytes.len() as u64));
        record.encode(self.log.seal, &mut batch.bytes);
        batch.entries.push(Entry {
            position: self.log.runs.position(sequence),
            payload,
        });
        if let Some(key) = key {
            self.keys.insert(Arc::clone(key.text()), sequence);
            batch.keys.push(Arc::clone(key.text()));
        }
        Ok(appended(sequence, false))
    }

    fn now_ms(&mut self) -> u64 {
        self.last_ms = self.last_ms.max(unix_ms());
        self.last_ms
    }

    fn write(&mut self, batch: WriteBatch) -> Result<(), BatchError> {
        if batch.entries.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.active.storage.append(&batch.bytes) {
            self.active.is_untidy = true;
            // If the bytes cannot be removed, the entries may be found in the log later.
            self.tidy()
                .map_err(|error| BatchError::Unknown(Arc::new(error)))?;
            return Err(BatchError::of_write(error, &self.active.segment.path));
        }
        self.active.unsynced_since.get_or_insert_with(Instant::now);
        let end = self.active.bytes + batch.bytes.len() as u64;
        if self.config.sync == SyncPolicy::EveryBatch {
            let start = Instant::now();
            self.sync(end)?;
            self.sync_time = start.elapsed();
        }
        if self.active.storage.is_removed() {
            return Err(self.give_up("the file of the log was removed"));
        }
        self.bytes += batch.bytes.len() as u64;
        self.active.bytes = end;
        self.active.entries += batch.records.len() as u64;
        self.active.segment.grow(&batch.records, end, self.last_ms);
        self.head += batch.records.len() as u64;
        if let Err(error) = self.end_mark.note(self.head) {
            debug!(%error, "failed to record the end of an event log");
        }
        self.log.publish(batch.entries);
        Ok(())
    }

    fn sync(&mut self, end: u64) -> Result<(), BatchError> {
        if let Err(error) = self.active.storage.sync() {
            if self.active.synced >= self.active.bytes {
                // Unsynced entries were not acknowledged: they are removed before any further
                // write.
                (self.active.is_untidy, self.active.is_doubtful) = (true, true);
                return Err(BatchError::Unknown(Arc::new(error)));
            }
            // The system may consider pages written although it gave up writing them, so no later
            // sync can be trusted.
            self.give_up(&format!("failed to sync the file of the log: {error}"));
            return Err(BatchError::Unknown(Arc::new(error)));
        }
        self.active.synced = end;
        self.active.unsynced_since = None;
        Ok(())
    }

    fn give_up(&mut self, reason: &str) -> BatchError {
        error!(file = %self.active.segment.path.display(), reason, "failed to write to an event log: the log rejects entries until it is reopened");
        self.broken = Some(format!(
            "the event log rejects entries until it is reopened: {reason}"
        ));
        BatchError::Refused {
            reason: reason.to_owned(),
        }
    }

    /// Continues in a new segment.
    fn rotate(&mut self) -> Result<(), BatchError> {
        self.sync(self.active.bytes)?;
        let header = SegmentHeader {
            first: self.head + 1,
            created_ms: self.now_ms(),
            previous_first: self.active.segment.first,
            previous_bytes: self.active.bytes,
        };
        let created = self.create(header);
        let (path, storage) =
            created.map_err(|error| BatchError::of_write(error, &self.active.segment.path))?;
        // The number is stored before the segment contains an entry, so that a loss of the segment
        // is detected.
        let noted = self.note_newest(header.first);
        noted.map_err(|error| BatchError::of_write(error, &self.active.segment.path))?;
        let segment = Arc::new(Segment::new(header, path, empty(header, &self.config)));
        self.log.begin(Arc::clone(&segment));
        self.bytes += HEADER_BYTES;
        self.active = Active::new(segment, storage, 0, HEADER_BYTES);
        Ok(())
    }

    fn note_newest(&mut self, newest: u64) -> io::Result<()> {
        let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let meta = Meta {
            newest,
            ..self.meta.clone()
        };
        directory.write(&directory.file(META), meta.to_text().as_bytes())?;
        self.meta = meta;
        Ok(())
    }

    fn create(&self, header: SegmentHeader) -> io::Result<(PathBuf, Box<dyn LogStorage>)> {
        let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let path = directory.segment(header.first);
        directory.write(&path, &header.to_bytes(self.log.seal))?;
        let storage = (self.open_storage)(&path)?;
        Ok((path, storage))
    }

    /// Returns the time of the next work that is not an append.
    fn next_check(&self) -> Instant {
        let now = Instant::now();
        let pause = self
            .config
            .segment_age()
            .clamp(Duration::from_millis(50), Duration::from_secs(60));
        let sync = self.sync_due().filter(|_| self.broken.is_none());
        sync.map_or(now + pause, |sync| sync.min(now + pause))
    }

    fn sync_due(&self) -> Option<Instant> {
        match self.config.sync {
            SyncPolicy::Interval(interval) => Some(self.active.unsynced_since? + interval),
            SyncPolicy::EveryBatch | SyncPolicy::Never => None,
        }
    }

    /// Syncs if a sync is due, and removes old segments.
    pub(crate) fn check(&mut self) {
        if self.broken.is_some() {
            return;
        }
        if self.sync_due().is_some_and(|due| due <= Instant::now())
            && self.sync(self.active.bytes).is_err()
        {
            return;
        }
        let now_ms = unix_ms();
        self.key_files.remove_old(now_ms);
        let age = self.config.retention.age;
        let (entries, _, last_ms) = self.active.segment.size();
        if entries > 0
            && is_older(last_ms, age, now_ms)
            && (self.tidy().is_err() || self.rotate().is_err())
        {
            return;
        }
        while let Some(oldest) = self.log.oldest_full() {
            let size = LogSize {
                entries: self.head + 1 - oldest.first,
                bytes: self.bytes,
            };
            if !is_over(&self.config.retention, size, &oldest, now_ms) {
                break;
            }
            self.keep_keys(&oldest, now_ms);
            self.log.forget_oldest();
            self.bytes -= oldest.size().1;
            if let Err(error) = std::fs::remove_file(&oldest.path) {
                warn!(file = %oldest.path.display(), %error, "failed to remove an old segment");
            }
        }
    }

    /// Keeps the keys of a segment that is about to be removed. Without the keys, retried publishes
    /// would be appended again after a restart.
    fn keep_keys(&mut self, segment: &Segment, now_ms: u64) {
        if self.keys.is_empty() {
            return;
        }
        let Some(directory) = &self.directory else {
            return;
        };
        let form = (self.log.seal, self.log.step);
        if let Err(error) = self.key_files.keep(directory, form, segment, now_ms) {
            warn!(file = %segment.path.display(), %error, "failed to keep the idempotency keys of an old segment");
        }
    }

    fn end(&mut self) {
        let is_sound =
            self.broken.is_none() && self.tidy().is_ok() && self.sync(self.active.bytes).is_ok();
        if let Some(directory) = self.directory.as_ref().filter(|_| is_sound) {
            let path = directory.file(META);
            let text = Meta {
                left: Left::Closed,
                end: Some(self.head),
                ..self.meta.clone()
            }
            .to_text();
            if let Err(error) = directory.write(&path, text.as_bytes()) {
                warn!(file = %path.display(), %error, "failed to record the close of an event log");
            }
        }
    }
}

impl Drop for Writer {
    /// Runs also if the thread panics, so that no caller waits for the thread for ever.
    fn drop(&mut self) {
        self.queue.close();
        while let Work::Append(pending) = self.queue.take(BATCH, Instant::now()) {
            fail(
                pending,
                &BatchError::Unknown(Arc::new(io::Error::other("the log is closed"))),
            );
        }
        // The lock is released first: a caller that is notified of the close can open the log at
        // once.
        self.directory.take();
        self.log.close();
    }
}
