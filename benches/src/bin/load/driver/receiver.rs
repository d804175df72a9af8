//! All streams of a run, read by one thread.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mio::{Events, Poll, Token};

use crate::driver::clock::Clock;
use crate::driver::latency::Latency;
use crate::driver::payload::Payload;
use crate::driver::stream::{Progress, Stream};
use crate::driver::target::Target;
use crate::driver::tracker::Faults;

/// Maximum number of connections without a response. More would overflow the server's backlog, and
/// a lost SYN costs a second.
const OPENING: usize = 128;
const BUFFER: usize = 64 * 1024;
const EVENTS: usize = 1024;

/// The receiving end of a run.
pub(crate) struct Receiver {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    streams: Vec<Stream>,
    opened: usize,
    ended: usize,
    clock: Clock,
    payload: Payload,
    nap: Duration,
    deliveries: u64,
    last_delivery: u64,
}

impl Receiver {
    /// Creates a receiver that sleeps for `nap` after each poll of its sockets, see
    /// [`Volume`](crate::driver::volume::Volume).
    pub(crate) fn new(clock: Clock, payload: Payload, nap: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new().context("making an epoll instance")?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER],
            streams: Vec::new(),
            opened: 0,
            ended: 0,
            clock,
            payload,
            nap,
            deliveries: 0,
            last_delivery: 0,
        })
    }

    /// Opens `count` streams, and returns when the server has answered each with 200.
    ///
    /// # Errors
    ///
    /// If a stream is refused or ended, or if not all are open within `timeout`.
    pub(crate) fn open(
        &mut self,
        target: &Target,
        count: usize,
        timeout: Duration,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + timeout;
        let mut latency = Latency::default();
        while self.opened < count {
            ensure!(
                Instant::now() < deadline,
                "only {} of {count} streams opened within {timeout:?}",
                self.opened
            );
            while self.streams.len() < count.min(self.opened + OPENING) {
                self.begin(target)?;
            }
            self.pump(Duration::from_millis(100), &mut latency)?;
            ensure!(
                self.ended == 0,
                "the server ended a stream while {count} were being opened"
            );
        }
        Ok(())
    }

    fn begin(&mut self, target: &Target) -> anyhow::Result<()> {
        let index = self.streams.len();
        let source = target.source(std::process::id(), index);
        let mut stream = Stream::connect(source, target.address(), target.stream_request(index))?;
        stream
            .register(self.poll.registry(), Token(index))
            .context("registering a stream")?;
        self.streams.push(stream);
        Ok(())
    }

    /// Waits up to `timeout` for data, reads what has arrived, and sleeps unless there was much.
    pub(crate) fn pump(&mut self, timeout: Duration, latency: &mut Latency) -> anyhow::Result<()> {
        let ready = self.take(timeout, latency)?;
        if (1..EVENTS).contains(&ready) && !self.nap.is_zero() {
            thread::sleep(self.nap);
        }
        Ok(())
    }

    /// Reads what has arrived, and returns the number of sockets that were ready.
    fn take(&mut self, timeout: Duration, latency: &mut Latency) -> anyhow::Result<usize> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(0),
            other => other.context("waiting for streams")?,
        }
        let Self {
            events,
            streams,
            buffer,
            clock,
            payload,
            ..
        } = self;
        for event in &*events {
            let index = event.token().0;
            let Some(stream) = streams.get_mut(index) else {
                continue;
            };
            if event.is_writable() {
                stream.write().with_context(|| format!("stream {index}"))?;
            }
            let (now, mut seen) = (clock.now(), 0);
            let progress = stream.read(buffer, *payload, |stamp| {
                seen += 1;
                latency.record(now.saturating_sub(stamp.sent));
            });
            match progress.with_context(|| format!("stream {index}"))? {
                Progress::Same => {}
                Progress::Opened => self.opened += 1,
                Progress::Ended => self.ended += 1,
            }
            if seen > 0 {
                self.deliveries += seen;
                self.last_delivery = now;
            }
        }
        Ok(events.iter().count())
    }

    /// Reads arriving data for `time`.
    pub(crate) fn settle(&mut self, time: Duration, latency: &mut Latency) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            self.pump(left, latency)?;
        }
        Ok(())
    }

    /// Returns the number of streams that are open now.
    pub(crate) fn live(&self) -> usize {
        self.opened - self.ended
    }

    /// Returns the number of payloads received so far, doubles included.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Returns the time of the last payload, in the run's clock.
    pub(crate) fn last_delivery(&self) -> u64 {
        self.last_delivery
    }

    /// Returns the faults of all streams, once `published` publishes have been sent.
    pub(crate) fn faults(&self, published: u32) -> Faults {
        self.streams
            .iter()
            .fold(Faults::default(), |mut sum, stream| {
                sum += stream.faults(published);
                sum
            })
    }
}
