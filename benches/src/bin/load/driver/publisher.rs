//! The sending end of a run: one keep-alive connection that publishes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::driver::clock::Clock;
use crate::driver::payload::{Payload, Stamp};
use crate::driver::response::Response;
use crate::driver::target::Target;

/// Timeout for one response of the server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A publisher of one sequence number after the other.
#[derive(Debug)]
pub(crate) struct Publisher {
    socket: TcpStream,
    target: Target,
    clock: Clock,
    payload: Payload,
    published: Arc<AtomicU32>,
    inbox: Vec<u8>,
}

impl Publisher {
    pub(crate) fn connect(target: &Target, clock: Clock, payload: Payload) -> anyhow::Result<Self> {
        let socket = TcpStream::connect_timeout(&target.publish_address(), TIMEOUT)
            .context("connecting to publish")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let target = target.clone();
        Ok(Self {
            socket,
            target,
            clock,
            payload,
            published: Arc::default(),
            inbox: Vec::new(),
        })
    }

    /// Returns the number of publishes that were sent.
    pub(crate) fn published(&self) -> u32 {
        self.published.load(Relaxed)
    }

    /// Returns the same number, for another thread to read.
    pub(crate) fn counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.published)
    }

    /// Publishes `count` times, `interval` apart.
    ///
    /// A publish that is delayed by the previous one is stamped with the time at which it was due:
    /// a server that blocks its publisher must not appear fast.
    pub(crate) fn pace(&mut self, count: u32, interval: Duration) -> anyhow::Result<()> {
        let start = self.clock.now();
        let interval = u64::try_from(interval.as_nanos()).context("the interval is too long")?;
        for turn in 0..count {
            let due = start + interval * u64::from(turn);
            let early = due.saturating_sub(self.clock.now());
            thread::sleep(Duration::from_nanos(early));
            self.send(if early > 0 { self.clock.now() } else { due })?;
            self.answer()?;
        }
        Ok(())
    }

    /// Publishes `count` times back to back, with up to `window` requests in flight (HTTP/1.1
    /// pipelining).
    pub(crate) fn burst(&mut self, count: u32, window: u32) -> anyhow::Result<()> {
        let mut unanswered = 0;
        for _ in 0..count {
            if unanswered == window.max(1) {
                self.answer()?;
                unanswered -= 1;
            }
            self.send(self.clock.now())?;
            unanswered += 1;
        }
        (0..unanswered).try_for_each(|_| self.answer())
    }

    fn send(&mut self, sent: u64) -> anyhow::Result<()> {
        let payload = self.payload.encode(Stamp {
            sequence: self.published(),
            sent,
        });
        let request = self.target.publish_request(&payload);
        self.socket
            .write_all(request.as_bytes())
            .context("publishing")?;
        let published = self
            .published()
            .checked_add(1)
            .context("too many publishes for one run")?;
        self.published.store(published, Relaxed);
        Ok(())
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        let (mut response, mut body) = (Response::new(), Vec::new());
        while !response.is_complete() {
            if self.inbox.is_empty() {
                self.receive()?;
            }
            let taken = response.feed(&self.inbox, |part| body.extend_from_slice(part))?;
            self.inbox.drain(..taken);
        }
        match response.status() {
            Some(200..=299) => Ok(()),
            status => bail!(
                "a publish received status {}: {}",
                status.unwrap_or_default(),
                String::from_utf8_lossy(&body)
            ),
        }
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 4096];
        let length = self
            .socket
            .read(&mut buffer)
            .context("waiting for the answer to a publish")?;
        ensure!(length > 0, "the server closed the publishing connection");
        self.inbox.extend_from_slice(&buffer[..length]);
        Ok(())
    }
}
