//! Signals, outside the log: NATS without JetStream.

use std::sync::Arc;

use async_nats::Subscriber;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use sse_core::backplane::{BackplaneError, Signals};
use tokio::{task::yield_now, time::Instant};

use crate::{
    connection::{Generation, NatsConnection},
    error::unavailable,
    jetstream::RESPONSE_TIMEOUT,
    request_reply::quoted,
    shared::Shared,
};

impl Shared {
    /// Sends a signal to all listening nodes.
    pub(crate) async fn signal(&self, payload: Bytes) -> Result<(), BackplaneError> {
        self.connection.up()?;
        // An error message can arrive after the reply that follows it. The next signal then reports
        // it.
        let since = std::mem::replace(&mut *self.signalled.lock(), Instant::now());
        self.connection
            .client()
            .publish(self.names.signal.clone(), payload)
            .await
            .map_err(unavailable)?;
        // The reply shows that the server has processed the signal.
        self.requests.round_trip(RESPONSE_TIMEOUT).await?;
        for _ in 0..COMPLAINTS {
            yield_now().await;
        }
        self.connection
            .complaint(&format!("Publish to {}", quoted(&self.names.signal)), since)
            .map_or(Ok(()), Err)
    }
}

/// Number of times to yield to other tasks, so that an error message can arrive.
const COMPLAINTS: usize = 4;

/// A listener for signals. The driver would continue over a new connection and not report the
/// signals that were missed in between, so a listener ends with its connection.
pub(crate) struct NatsSignals {
    shared: Arc<Shared>,
    subscriber: Subscriber,
    generation: Generation,
    /// Number of overruns at the start.
    overruns: u64,
    /// Time when the listener started.
    since: Instant,
}

impl NatsSignals {
    pub(crate) async fn start(shared: Arc<Shared>) -> Result<Self, BackplaneError> {
        let generation = shared.connection.up()?;
        let (overruns, since) = (shared.connection.overruns(), Instant::now());
        let subscriber = shared
            .connection
            .client()
            .subscribe(shared.names.signal.clone())
            .await
            .map_err(unavailable)?;
        shared.requests.round_trip(RESPONSE_TIMEOUT).await?;
        for _ in 0..COMPLAINTS {
            yield_now().await;
        }
        let signals = Self {
            shared,
            subscriber,
            generation,
            overruns,
            since,
        };
        signals.check()?;
        signals
            .connection()
            .complaint(&signals.denied(), since)
            .map_or(Ok(signals), Err)
    }

    fn connection(&self) -> &NatsConnection {
        &self.shared.connection
    }

    /// Returns the start of the server's error message for a user that has no right to listen.
    fn denied(&self) -> String {
        format!("Subscription to {}", quoted(&self.shared.names.signal))
    }

    fn check(&self) -> Result<(), BackplaneError> {
        if !self.shared.connection.is(self.generation) {
            return Err(unavailable("the connection was lost"));
        }
        if self.shared.connection.overruns() != self.overruns {
            return Err(unavailable(
                "signals arrived faster than they were processed",
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl Signals for NatsSignals {
    async fn next(&mut self) -> Result<Bytes, BackplaneError> {
        self.check()?;
        let denied = self.denied();
        let message = tokio::select! {
            message = self.subscriber.next() => message,
            () = self.shared.connection.lost(self.generation) => None,
            complaint = self.shared.connection.complains(&denied, self.since) => return Err(complaint),
        };
        message
            .map(|message| message.payload)
            .ok_or_else(|| unavailable("the connection was lost"))
    }
}
