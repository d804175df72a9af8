//! Receives signals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{
    PushInfo, PushKind, Value,
    aio::{AsyncPushSender, SendError},
};
use sse_core::backplane::{BackplaneError, Signals};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use crate::{
    connection::{RedisConnection, connector::Purpose},
    error, reply,
    shared::Shared,
};

/// A listener for signals, on a connection of its own.
pub(crate) struct RedisSignals {
    connection: RedisConnection,
    heard: mpsc::Receiver<Bytes>,
    waiting: Arc<Hearing>,
    checks: Interval,
}

/// The signals that wait for a listener.
#[derive(Debug, Default)]
struct Hearing {
    bytes: AtomicUsize,
    /// Set if signals were dropped because the maximum was waiting.
    lost: AtomicBool,
}

/// Receives messages from the connection, which must not be blocked.
struct Ear {
    heard: mpsc::Sender<Bytes>,
    waiting: Arc<Hearing>,
}

/// Maximum number of signals that wait for a listener.
const MOST: usize = 4096;
/// Maximum number of bytes of the signals that wait for a listener. A single signal always fits.
const MOST_BYTES: usize = 16 << 20;

/// Interval between checks that the server is still connected, and that it is still the one that
/// signals are sent to.
const CHECK: Duration = Duration::from_secs(1);

impl RedisSignals {
    /// Starts to listen.
    pub(crate) async fn new(shared: &Arc<Shared>) -> Result<Self, BackplaneError> {
        let (sender, heard) = mpsc::channel(MOST);
        let waiting = Arc::new(Hearing::default());
        let ear = Ear {
            heard: sender,
            waiting: Arc::clone(&waiting),
        };
        let connection = shared.connect(Purpose::Messages(Arc::new(ear))).await?;
        connection
            .listen(&shared.keys.signals)
            .await
            .map_err(error::translate)?;
        let mut checks = interval_at(Instant::now() + CHECK, CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            connection,
            heard,
            waiting,
            checks,
        })
    }

    /// Fails if the connection is lost or if the server became a replica. A replica receives the
    /// signals that are sent to its primary, but no signals once it is cut off from the primary.
    async fn check(&self) -> Result<(), BackplaneError> {
        let role = self
            .connection
            .ask(&redis::cmd("ROLE"))
            .await
            .map_err(error::translate)?;
        if reply::is_primary(&role) {
            Ok(())
        } else {
            Err(BackplaneError::unavailable(error::SOON, error::REPLICA))
        }
    }
}

#[async_trait]
impl Signals for RedisSignals {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        loop {
            if self.waiting.lost.load(Ordering::Acquire) {
                return Err(BackplaneError::unavailable(
                    Duration::ZERO,
                    "signals arrived faster than they were processed",
                ));
            }
            tokio::select! {
                biased;
                signal = self.heard.recv() => {
                    let lost = || BackplaneError::unavailable(error::SOON, "the connection was lost");
                    let signal = signal.ok_or_else(lost)?;
                    self.waiting.bytes.fetch_sub(signal.len(), Ordering::Relaxed);
                    return Ok(signal);
                }
                _ = self.checks.tick() => self.check().await?,
            }
        }
    }
}

impl AsyncPushSender for Ear {
    fn send(&self, PushInfo { kind, data }: PushInfo) -> Result<(), SendError> {
        // A message consists of the kind, the channel and the payload.
        let (PushKind::Message, Some(Value::BulkString(signal))) = (kind, data.into_iter().nth(1))
        else {
            return Ok(());
        };
        let size = signal.len();
        let before = self.waiting.bytes.fetch_add(size, Ordering::Relaxed);
        if before + size > MOST_BYTES.max(size) || self.heard.try_send(signal.into()).is_err() {
            self.waiting.lost.store(true, Ordering::Release);
        }
        Ok(())
    }
}
