//! Standard output and standard error, written by threads of their own.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Maximum number of bytes in the queue: a few seconds of a busy log, and little memory compared to
/// the streams.
const MAX_BYTES: usize = 1024 * 1024;

/// Pause after a descriptor in non-blocking mode is not ready.
const PAUSE: Duration = Duration::from_millis(20);

/// An output that writes to a descriptor at the speed of its reader. The hub never waits for the
/// reader.
///
/// If the queue is full, the output drops text and counts it. As soon as the reader accepts text
/// again, it is notified how many messages are missing. A clone is cheap and writes to the same
/// queue.
#[derive(Clone, Debug)]
pub(crate) struct LogOutput {
    shared: Arc<OutputBuffer>,
}

#[derive(Debug, Default)]
struct OutputBuffer {
    state: Mutex<OutputState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutputState {
    texts: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// `true` while the thread holds texts that are not written yet.
    writing: bool,
}

impl LogOutput {
    /// Starts the writer thread.
    pub(crate) fn start(name: &str, to: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(OutputBuffer::default());
        let taken = Arc::clone(&shared);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || taken.write_all(to))?;
        Ok(Self { shared })
    }

    /// Queues a text, or drops and counts the text if the queue is full.
    pub(crate) fn send(&self, text: &[u8]) {
        let mut state = self.shared.lock();
        if state.bytes + text.len() > MAX_BYTES {
            state.dropped += 1;
            return;
        }
        state.bytes += text.len();
        state.texts.push_back(text.to_vec());
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all text is written or the limit expires, so that the end of the process does
    /// not depend on a reader.
    pub(crate) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        while state.writing || !state.texts.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One call is one text: `tracing-subscriber` writes each event with a single call.
impl Write for LogOutput {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.send(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl OutputBuffer {
    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut to: impl Write) {
        loop {
            let (texts, dropped) = self.take();
            for text in texts {
                write(&mut to, &text);
                // Each written text frees its room at once, before the rest of the batch is
                // written.
                self.lock().bytes -= text.len();
            }
            if dropped > 0 {
                let note = format!("{dropped} messages were dropped: the reader was too slow\n");
                write(&mut to, note.as_bytes());
            }
        }
    }

    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let mut state = self.lock();
        state.writing = false;
        self.changed.notify_all();
        while state.texts.is_empty() && state.dropped == 0 {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        (
            std::mem::take(&mut state.texts),
            std::mem::take(&mut state.dropped),
        )
    }
}

/// Writes a text. Ignores errors: a missing reader does not end the hub, and no other reader could
/// be notified.
fn write(to: &mut impl Write, mut text: &[u8]) {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return,
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A reader that accepts one text at a time.
    struct OutputReader(SyncSender<String>);

    impl Write for OutputReader {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(text).into_owned();
            self.0
                .send(text.clone())
                .map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (LogOutput, Receiver<String>) {
        let (sender, receiver) = sync_channel(0);
        (
            LogOutput::start("test", OutputReader(sender)).unwrap(),
            receiver,
        )
    }

    #[test]
    fn slow_reader_blocks_nobody_and_gets_a_drop_count() {
        let (output, reader) = started();
        let text = "x".repeat(1023) + "\n";
        for _ in 0..3000 {
            output.send(text.as_bytes());
        }
        output.flush(Duration::from_millis(10));
        let mut kept = 0;
        let note = loop {
            let read = reader.recv().unwrap();
            if read != text {
                break read;
            }
            kept += 1;
        };
        assert!((1000..=1025).contains(&kept), "{kept}");
        assert_eq!(
            note,
            format!(
                "{} messages were dropped: the reader was too slow\n",
                3000 - kept
            )
        );
        output.send(b"after\n");
        assert_eq!(reader.recv().unwrap(), "after\n");
    }

    #[test]
    fn flush_writes_everything() {
        let (output, reader) = started();
        let reading =
            thread::spawn(move || (0..100).map(|_| reader.recv().unwrap()).collect::<String>());
        (0..100).for_each(|n| output.send(format!("{n},").as_bytes()));
        output.flush(Duration::from_secs(60));
        let expected: String = (0..100).map(|n| format!("{n},")).collect();
        assert_eq!(reading.join().unwrap(), expected);
    }

    #[test]
    fn missing_reader_is_ignored() {
        let (output, reader) = started();
        drop(reader);
        output.send(b"a");
        output.send(b"b");
        output.flush(Duration::from_secs(60));
        assert_eq!(output.shared.lock().bytes, 0);
    }
}
